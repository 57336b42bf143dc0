"""The report about the hardening, for people to read.

Uses named tuples, because importing `dataclasses` takes 15 ms.
"""

from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """The outcome of a step; a required step that fails ends the process instead."""

    DONE = "done"
    WARNING = "warning"
    UNAVAILABLE = "not available"


class Step(NamedTuple):
    """One step and its outcome."""

    name: str
    outcome: Outcome
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.outcome.value}{f' ({self.detail})' if self.detail else ''}"


class HardeningReport(NamedTuple):
    """What was done to this process, and what its platform lacks."""

    platform: str
    steps: tuple[Step, ...]

    @property
    def complete(self) -> bool:
        """Whether every step was done."""
        return all(step.outcome is Outcome.DONE for step in self.steps)

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))
