"""Confines this process with Landlock and seccomp, and becomes a command.

    python -I -S landlock_exec.py FOLDERS SETTINGS WAIT COMMAND ARGUMENTS…

A process for every command, so that nothing is forked from one with threads or much
memory. `FOLDERS`, joined by colons, hold the modules it needs. `SETTINGS` is the descriptor
of a file; when a byte has come by the descriptor `WAIT`, or at once if that is -1, there is
a dict in it as `marshal` writes it (which is there at once, when `json` takes 10 ms):
`parent`, the process whose end ends this one; `writable`; `network`; `seccomp`, the filter;
and if the command was not known before, `argv`, `cwd` and `environment`. Whatever fails
ends it with code 126 before the command begins.
"""

import marshal
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
CAPABILITY_VERSION = 0x20080522
DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
CANNOT_CONFINE, NOT_FOUND = 126, 127


def main(folders: str, settings: int, wait: int, argv: list[str]) -> None:
    """Confine, then execute; returns never."""
    sys.path[:0] = folders.split(":")
    try:
        from code_process_hardening import confinement, libc  # noqa: F401 - before the wait, because it takes time

        if wait >= 0 and not os.read(wait, 1):
            os._exit(0)  # no command came
        table = marshal.loads(_content(settings))  # noqa: S302 - from the process that started this one
        os.chdir(table.get("cwd", "."))
        _confine(table)
    except (OSError, ImportError) as error:
        _fail(f"the command cannot be confined: {error}", CANNOT_CONFINE)
    argv = table.get("argv", argv)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by the interpreter; the command would inherit it
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvpe(argv[0], argv, table.get("environment", os.environ))  # noqa: S606 - this is its task
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found", NOT_FOUND)
    except (OSError, ValueError) as error:
        _fail(f"{argv[0]}: cannot be run: {error}", CANNOT_CONFINE)


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    parts, at = [], 0
    while at < size and (part := os.pread(descriptor, size - at, at)):
        parts.append(part)
        at += len(part)
    os.close(descriptor)
    return b"".join(parts)


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
    code = memoryview(table["seccomp"])
    program = memoryview(struct.pack("@HP", len(code) // 8, libc.address_of(code)))
    libc.syscall(SECCOMP[machine], SECCOMP_SET_MODE_FILTER, 0, libc.address_of(program))


def _fail(message: str, code: int) -> None:
    os.write(2, f"{message}\n".encode(errors="backslashreplace"))
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
