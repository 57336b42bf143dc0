"""The hardening steps on other platforms: none, which the report states."""

from code_process_hardening.report import Outcome, Step


def steps() -> tuple[Step, ...]:
    """Report what this platform lacks."""
    names = ("memory closed to other processes", "no tracer attached", "no core files", "no new privileges")
    return tuple(Step(name, Outcome.UNAVAILABLE) for name in names)
