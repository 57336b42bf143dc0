"""Confines this process with Landlock and seccomp, and becomes a command.

    python -I -S landlock_exec.py SETTINGS COMMAND ARGUMENTS…

Started for every command, so that nothing is forked from a process with threads or
much memory. `SETTINGS` is JSON: `path`, the folders of the modules it needs; `parent`, the
process whose end ends it; `writable`; `network`; `seccomp`, the descriptor with the filter. Whatever fails ends it with code
126 before the command begins.
"""

import json
import os
import signal
import struct
import sys

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` costs 3 ms
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG, SECCOMP_SET_MODE_FILTER = 1, 1
CAPSET = {"x86_64": 126, "aarch64": 91}
SECCOMP = {"x86_64": 317, "aarch64": 277}
LARGEST_FILTER = 4096 * 8
CAPABILITY_VERSION = 0x20080522
DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
CANNOT_CONFINE, NOT_FOUND = 126, 127


def main(settings: str, argv: list[str]) -> None:
    """Confine, then execute `argv`; returns never."""
    table = json.loads(settings)
    sys.path[:] = [*table["path"], *sys.path]
    try:
        _confine(table)
    except (OSError, ImportError) as error:
        _fail(f"the command cannot be confined: {error}", CANNOT_CONFINE)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - this is its task
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found", NOT_FOUND)
    except OSError as error:
        _fail(f"{argv[0]}: cannot be run: {error.strerror}", CANNOT_CONFINE)


def _confine(table: "dict[str, Any]") -> None:
    from code_process_hardening import libc
    from code_process_hardening.confinement import confine

    machine = os.uname().machine
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != table["parent"]:
        raise OSError("the agent has ended")
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    header = memoryview(struct.pack("=Ii", CAPABILITY_VERSION, 0))
    nothing = memoryview(bytes(24))
    libc.syscall(CAPSET[machine], libc.address_of(header), libc.address_of(nothing))
    confine(
        writable=table["writable"],
        writable_files=DEVICES,
        connect_ports=None if table["network"] else (),
        programs=True,
    )
    code = memoryview(os.read(table["seccomp"], LARGEST_FILTER))
    os.close(table["seccomp"])
    program = memoryview(struct.pack("@HP", len(code) // 8, libc.address_of(code)))
    libc.syscall(SECCOMP[machine], SECCOMP_SET_MODE_FILTER, 0, libc.address_of(program))


def _fail(message: str, code: int) -> None:
    os.write(2, f"{message}\n".encode(errors="backslashreplace"))
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
