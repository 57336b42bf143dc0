import subprocess
import sys


def test_the_layer_is_pure() -> None:
    script = (
        "import sys, code_core.patch; "
        "print(*sorted(name for name in sys.modules if name.split('.')[0] in ('anyio', 'pydantic', 'asyncio') "
        "or name.startswith('code_core.') and not name.startswith(('code_core.patch', 'code_core.frozen'))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
