import subprocess
import sys
from pathlib import Path

from code_process_hardening import _libc_binding

GENERATOR = Path(__file__).parents[2] / "packages" / "process-hardening" / "scripts" / "generate_binding.py"


def test_the_checked_in_binding_is_up_to_date(tmp_path: Path) -> None:
    fresh = tmp_path / "binding.py"
    subprocess.run([sys.executable, GENERATOR, fresh], check=True, capture_output=True)
    assert _libc_binding.__file__ is not None
    assert fresh.read_text() == Path(_libc_binding.__file__).read_text()


def test_hardening_loads_neither_ctypes_nor_a_c_parser() -> None:
    script = (
        "import sys\n"
        "from code_process_hardening import SecretBuffer, confine, pre_main_hardening\n"
        "pre_main_hardening(); SecretBuffer(1); confine()\n"
        "print([name for name in ('ctypes', '_ctypes', 'cffi', 'pycparser', 'dataclasses', 'pathlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
