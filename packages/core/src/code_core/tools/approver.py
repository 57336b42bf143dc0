"""What a tool asks the user, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from code_core.protocol.file_changes import FileChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, Grant, PathGrant, ToolGrant
from code_core.safety.proposals import Proposal
from code_core.safety.rules import RegisteredCommand


@dataclass(frozen=True, slots=True)
class CommandQuestion:
    """May this command run?

    Attributes:
        reason: why we ask.
        grant: what `approved_for_session` allows; None if that can only allow it once.
        justification: why the model wants it, in the model's words.
        sandboxed: whether it will run confined.
        escalated: whether it leaves a sandbox that would otherwise confine it.
        proposal: what a rule that always allows it would allow; None where no rule is offered.
    """

    call_id: str
    argv: Sequence[str]
    cwd: Path
    reason: str
    grant: CommandGrant | None
    justification: str | None = None
    sandboxed: bool = False
    escalated: bool = False
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class ToolQuestion:
    """May this tool of an MCP server be called?"""

    call_id: str
    invocation: McpInvocation
    cwd: Path
    reason: str
    grant: ToolGrant


@dataclass(frozen=True, slots=True)
class PatchQuestion:
    """May these changes be made?

    Attributes:
        grants: what `approved_for_session` allows, one for each file that the patch writes.
    """

    call_id: str
    changes: Mapping[str, FileChange]
    reason: str
    grants: frozenset[PathGrant]


Question = CommandQuestion | ToolQuestion | PatchQuestion


@dataclass(frozen=True, slots=True)
class Review:
    """The user's answer.

    Attributes:
        feedback: what the user tells the model along with a denial.
    """

    decision: ReviewDecision
    feedback: str | None = None


class Approver(Protocol):
    """Asks the user, and remembers what was allowed for the session."""

    async def ask(self, question: Question) -> Review:
        """The answer, however long it takes; a frontend without a user denies at once."""
        ...

    def approved(self, *grants: Grant) -> bool:
        """Whether the user has allowed all of these for the session; False for none."""
        ...

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        """The commands that the user has allowed for the session by a pattern."""
        ...
