import sys

import pytest

from process_hardening.processes import CAN_DROP_PRIVILEGES, victim

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="TracerPid is Linux's"),
    pytest.mark.skipif(not CAN_DROP_PRIVILEGES, reason="setpriv is missing"),
]

WAIT = "print('ready', flush=True); input()"
HARDEN = "from code_process_hardening import pre_main_hardening as h; h(); "

SEIZE = """
import sys
from code_process_hardening._libc_binding import ffi
PTRACE_SEIZE = 0x4206
result = ffi.dlopen(None).ptrace(PTRACE_SEIZE, int(sys.argv[1]), ffi.NULL, 0)
print("attached" if result == 0 else ffi.errno, flush=True)
"""


@pytest.mark.parametrize(("traced", "status"), [(False, 0), (True, 5)])
def test_a_traced_process_refuses_to_run(traced: bool, status: int) -> None:
    with victim(f"{WAIT}\n{HARDEN}") as process:
        process.hear()
        tracer = SEIZE.replace("sys.argv[1]", repr(str(process.pid))) + "sys.stdin.read()"
        if not traced:
            process.go_on()
            assert process.end() == (status, "")
            return
        with victim(tracer) as debugger:
            assert debugger.hear() == "attached"
            process.go_on()
            errors = process.errors()
        code, _ = process.end()  # not before, because an exit reaches the tracer first
    assert code == status
    assert errors.splitlines() == [
        f"code-process-hardening: process {debugger.pid} traces this one: detach it and start again"
    ]
