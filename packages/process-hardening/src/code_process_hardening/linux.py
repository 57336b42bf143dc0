"""The hardening steps on Linux."""

from code_process_hardening import libc
from code_process_hardening.core_files import no_core_files
from code_process_hardening.errors import DenyTraceError, TracerAttachedError
from code_process_hardening.report import Outcome, Step


def steps() -> tuple[Step, ...]:
    """Take every step; checks for a tracer once no new one can attach."""
    return (deny_memory_access(), refuse_tracer(), no_core_files(), no_new_privileges())


def deny_memory_access() -> Step:
    """Close `/proc/PID/mem` and the like, and ptrace, to every process without CAP_SYS_PTRACE.

    Applies to all threads and forked children, until `execve`.
    """
    try:
        libc.prctl(libc.PR_SET_DUMPABLE, 0)
        dumpable = libc.prctl(libc.PR_GET_DUMPABLE)
    except OSError as error:
        raise DenyTraceError(f"cannot close this process's memory to others: {error}", exit_code=5) from error
    if dumpable != 0:
        raise DenyTraceError(
            f"this process's memory stays open to others: PR_GET_DUMPABLE is {dumpable}", exit_code=5
        )
    return Step("memory closed to other processes", Outcome.DONE)


def refuse_tracer(status: str = "/proc/self/status") -> Step:
    """Refuse to run under a debugger that is already attached."""
    name = "no tracer attached"
    try:
        with open(status, errors="replace") as lines:  # noqa: PTH123 - pathlib costs 5 ms here
            tracer = tracer_pid(lines.read())
    except OSError as error:
        return Step(name, Outcome.WARNING, f"cannot read {status}: {error.strerror}")
    if tracer:
        raise TracerAttachedError(f"process {tracer} traces this one: detach it and start again")
    return Step(name, Outcome.DONE)


def tracer_pid(status: str) -> int:
    """Return the `TracerPid` in a `/proc/PID/status` (proc(5)); 0 without a tracer."""
    value = next(
        (line.partition(":")[2].strip() for line in status.splitlines() if line.startswith("TracerPid:")), ""
    )
    return int(value) if value.isdecimal() else 0


def no_new_privileges() -> Step:
    """Prevent later `execve` calls from gaining permissions through a set-user-id program."""
    name = "no new privileges"
    try:
        libc.prctl(libc.PR_SET_NO_NEW_PRIVS, 1)
    except OSError as error:
        return Step(name, Outcome.WARNING, str(error))
    return Step(name, Outcome.DONE)
