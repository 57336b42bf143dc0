"""The hardening steps on macOS."""

from code_process_hardening import libc
from code_process_hardening.core_files import no_core_files
from code_process_hardening.errors import DenyTraceError
from code_process_hardening.report import Outcome, Step


def steps() -> tuple[Step, ...]:
    """Take every step, and report what macOS lacks."""
    return (deny_attach(), no_core_files(), Step("no new privileges", Outcome.UNAVAILABLE))


def deny_attach() -> Step:
    """Refuse debuggers: a later attach fails, and one already attached ends this process."""
    try:
        libc.deny_attach()
    except OSError as error:
        raise DenyTraceError(f"cannot refuse debuggers: {error}", exit_code=6) from error
    return Step("memory closed to other processes", Outcome.DONE, "debuggers are refused")
