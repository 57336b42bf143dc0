import subprocess
import sys


def test_the_patch_layer_is_pure() -> None:
    script = (
        "import sys; from code_core.patch import *; "
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('anyio', 'pydantic', 'asyncio') "
        "or name.startswith('code_core.') and not name.startswith(('code_core.patch', 'code_core.frozen', 'code_core.lazy_pattern'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_recognising_a_patch_does_not_import_the_code_that_applies_it() -> None:
    script = (
        "import sys; import code_core.patch.invocation, code_core.patch.edits; "
        "print(*{'difflib', 'code_core.patch.apply', 'code_core.patch.locate'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
