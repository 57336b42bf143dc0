"""Confines a command with Landlock and seccomp, waits for its end, and ends what it leaves behind.

    python -I -S landlock_exec.py AGENT FOLDERS SETTINGS WAIT PROCESSES COMMAND ARGUMENTS…

Each command has its own process, so that nothing is forked from one with threads or much memory.
`AGENT` is the process whose end ends everything. `FOLDERS`, joined by colons, contain the
required modules. `SETTINGS` is the descriptor of a file. Once a byte arrives on the descriptor
`WAIT`, or immediately if that is -1, the file contains a dict in `marshal` format (whose import is
free, whereas `json` takes 10 ms): `writable`, directories; `files`, also writable; `network`;
`limits`, pairs of a resource and its limit; `seccomp`, the filter; and if the command was not known
at the start, `argv`, `cwd` and `environment`. Any failure exits with code 126 before the command
begins. Otherwise exits with the command's code, or 128 plus its signal.

The command runs in a child that is forked in advance, because that takes time. Processes that the
command starts and abandons become children of this process, which is not confined. When the command ends, they
get SIGTERM, and half a second later SIGKILL. If the agent ends, or there are more than `PROCESSES` processes
and threads, the command and these processes are killed at once; after a SIGTERM to this process, half a second later.
"""

import marshal
import os
import signal
import struct
import sys
import time

TYPE_CHECKING = False  # type checkers treat it as true; importing `typing` costs 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, SECCOMP_SET_MODE_FILTER = 1, 36, 1
CAPSET = {"x86_64": 126, "aarch64": 91}
PRLIMIT = {"x86_64": 302, "aarch64": 261}
SECCOMP = {"x86_64": 317, "aarch64": 277}
CAPABILITY_VERSION = 0x20080522
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")
CANNOT_CONFINE, NOT_FOUND = 126, 127
BEGUN = signal.SIGUSR1
WAITED_FOR = frozenset({BEGUN, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
TERMINATE_SECONDS = 0.5
KILL_SECONDS = 5.0
LOOK_SECONDS, IDLE_SECONDS, ASK_SECONDS = 0.25, 3600.0, 0.02


def main(agent: int, folders: str, settings: int, wait: int, processes: int, argv: list[str]) -> None:
    """Run the command confined; never returns."""
    sys.path[:0] = folders.split(":")
    try:
        from code_process_hardening import confinement, libc  # noqa: F401 - before the fork, because it takes time

        signal.pthread_sigmask(signal.SIG_BLOCK, WAITED_FOR)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
        _end_with(agent, signal.SIGHUP)
        supervisor = os.getpid()
        child = os.fork()
    except (OSError, ImportError) as error:
        _fail(f"the command cannot be confined: {error}", CANNOT_CONFINE)
    if child:
        for descriptor in {settings, wait} - {-1}:
            os.close(descriptor)  # so that the agent notices the end of the child
        _supervise(child, agent, processes)
    _execute(settings, wait, supervisor, argv)


def _execute(settings: int, wait: int, supervisor: int, argv: list[str]) -> "NoReturn":
    """Wait for the command if necessary, confine this process, and become the command."""
    try:
        os.setsid()  # so that the command can have a terminal of its own
        _end_with(supervisor, signal.SIGKILL)
        if wait >= 0:
            if not os.read(wait, 1):
                os._exit(0)  # no command came
            os.close(wait)
        table = marshal.loads(_content(settings))  # noqa: S302 - from the process that started this one
        os.chdir(table.get("cwd", "."))
        os.kill(supervisor, BEGUN)
        _confine(table)
    except OSError as error:
        _fail(f"the command cannot be confined: {error}", CANNOT_CONFINE)
    argv = table.get("argv", argv)
    for ignored in (
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGINT,
    ):  # ignored by the interpreter; the command would inherit that
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WAITED_FOR)
    try:
        os.execvpe(argv[0], argv, table.get("environment", os.environ))  # noqa: S606 - this is its task
    except FileNotFoundError:
        _fail(f"{argv[0]}: command not found", NOT_FOUND)
    except (OSError, ValueError) as error:
        _fail(f"{argv[0]}: cannot be run: {error}", CANNOT_CONFINE)


def _supervise(child: int, agent: int, processes: int) -> "NoReturn":
    """Wait for the command, then exit with its code once all its descendants are gone."""
    code, deadline, others = None, None, None
    while code is None:
        left = IDLE_SECONDS if others is None else LOOK_SECONDS
        if deadline is not None:
            left = max(0.0, deadline - time.monotonic())
        signum = getattr(signal.sigtimedwait(WAITED_FOR, left), "si_signo", None)
        code = _reap(child)
        late = deadline is not None and time.monotonic() >= deadline
        if os.getppid() != agent or late:
            _kill_descendants()
            os._exit(128 + signal.SIGKILL)
        if signum == BEGUN and others is None:
            others = _tasks()
        elif code is None and others is not None and _too_many(others, processes):
            _kill_descendants()
            _fail(f"ended: it had more than {processes} processes and threads", 128 + signal.SIGKILL)
        if signum not in {None, BEGUN, signal.SIGCHLD} and code is None:
            deadline = deadline or time.monotonic() + TERMINATE_SECONDS
            try:
                os.killpg(child, signal.SIGTERM)
            except ProcessLookupError:
                pass
    _end_descendants(agent, others, processes)
    os._exit(code)


def _too_many(others: int, processes: int) -> bool:
    """Whether this process has more than `processes` descendants; counts them only if the machine total allows it."""
    return 0 < processes < _tasks() - others and sum(_descendants().values()) > processes


def _tasks() -> int:
    """The number of processes and threads on the machine from /proc/loadavg (proc(5)), which is faster than counting."""
    descriptor = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 128).split()[3].partition(b"/")[2])
    finally:
        os.close(descriptor)


def _reap(child: int) -> "int | None":
    """Reap all ended processes; return the command's exit code if it is among them."""
    code = None
    try:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == child:
                code = os.waitstatus_to_exitcode(ended[1])
    except ChildProcessError:
        pass
    return 128 - code if code is not None and code < 0 else code


def _end_descendants(agent: int, others: "int | None", processes: int) -> None:
    """Ask all descendants to end, and kill what is left of them half a second later."""
    late = time.monotonic() + TERMINATE_SECONDS
    asked: set[int] = set()
    while _has_children() and time.monotonic() < late and os.getppid() == agent:
        if others is not None and _too_many(others, processes):
            break
        for pid in _descendants().keys() - asked:
            _signal(pid, signal.SIGTERM)
            asked.add(pid)
        signal.sigtimedwait({signal.SIGCHLD}, ASK_SECONDS)
        _reap(0)
    _kill_descendants()


def _kill_descendants() -> None:
    """Kill all descendants, stopping them first, so that none escapes by forking."""
    until = time.monotonic() + KILL_SECONDS
    while _has_children() and time.monotonic() < until:
        stopped: set[int] = set()
        while found := _descendants().keys() - stopped:
            for pid in found:
                _signal(pid, signal.SIGSTOP)
            stopped |= found
        for pid in stopped:
            _signal(pid, signal.SIGKILL)
        _reap(0)
        time.sleep(0.001)  # a killed process takes a moment to become a zombie that can be reaped


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _descendants() -> "dict[int, int]":
    """The running descendants of this process and the number of threads of each, from /proc/PID/stat (proc(5))."""
    children: dict[int, list[int]] = {}
    threads: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue
            if fields[0] not in {b"Z", b"X"}:
                children.setdefault(int(fields[1]), []).append(int(name))
                threads[int(name)] = int(fields[17])
    found: dict[int, int] = {}
    waiting = [os.getpid()]
    while waiting:
        for pid in children.get(waiting.pop(), ()):
            found[pid] = threads[pid]
            waiting.append(pid)
    return found


def _signal(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except OSError:
        pass


def _content(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    parts, at = [], 0
    while at < size and (part := os.pread(descriptor, size - at, at)):
        parts.append(part)
        at += len(part)
    os.close(descriptor)
    return b"".join(parts)


def _end_with(parent: int, signum: int) -> None:
    """Have the kernel send `signum` to this process when `parent` ends."""
    from code_process_hardening import libc

    libc.prctl(PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        raise OSError("the agent has ended")


def _confine(table: "dict[str, Any]") -> None:
    from code_process_hardening import libc
    from code_process_hardening.confinement import confine

    machine = os.uname().machine
    for resource, most in table["limits"]:
        both = memoryview(struct.pack("=QQ", most, most))
        libc.syscall(PRLIMIT[machine], 0, resource, libc.address_of(both), 0)
    libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    header = memoryview(struct.pack("=Ii", CAPABILITY_VERSION, 0))
    nothing = memoryview(bytes(24))
    libc.syscall(CAPSET[machine], libc.address_of(header), libc.address_of(nothing))
    confine(
        writable=table["writable"],
        writable_files=(*DEVICES, *table["files"]),
        connect_ports=None if table["network"] else (),
        programs=True,
        missing_ok=True,  # a file next to the agent's own may be deleted at any time
    )
    code = memoryview(table["seccomp"])
    program = memoryview(struct.pack("@HP", len(code) // 8, libc.address_of(code)))
    libc.syscall(SECCOMP[machine], SECCOMP_SET_MODE_FILTER, 0, libc.address_of(program))


def _fail(message: str, code: int) -> "NoReturn":
    os.write(2, f"{message}\n".encode(errors="backslashreplace"))
    os._exit(code)


if __name__ == "__main__":
    _agent, _folders, _settings, _wait, _processes, *_argv = sys.argv[1:]
    main(int(_agent), _folders, int(_settings), int(_wait), int(_processes), _argv)
