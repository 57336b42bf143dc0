"""What the hardening did, for people to read.

Named tuples, because `dataclasses` costs a starting process 15 ms.
"""

from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """How a step ended; one that must succeed and does not ends the process instead."""

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
