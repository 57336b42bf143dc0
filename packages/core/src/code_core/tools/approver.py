"""Questions that tools ask the user, and the answers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from code_core.frozen import frozen
from code_core.protocol.file_changes import FileChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, Grant, PathGrant, ToolGrant
from code_core.safety.proposals import Proposal
from code_core.safety.rules import RegisteredCommand


@frozen
class CommandQuestion:
    """Asks whether a command may run.

    Attributes:
        reason: why we ask.
        grant: what `approved_for_session` allows; None if it can only be allowed once.
        justification: why the model wants it, in the model's words.
        sandboxed: whether it will run confined.
        escalated: whether it leaves a sandbox that would otherwise confine it.
        proposal: what a rule that always allows it would allow; None if no rule is offered.
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


@frozen
class ToolQuestion:
    """Asks whether a tool of an MCP server may be called."""

    call_id: str
    invocation: McpInvocation
    cwd: Path
    reason: str
    grant: ToolGrant


@frozen
class PatchQuestion:
    """Asks whether these changes may be made.

    Attributes:
        grants: what `approved_for_session` allows, one grant for each file that the patch writes.
    """

    call_id: str
    changes: Mapping[str, FileChange]
    reason: str
    grants: frozenset[PathGrant]


Question = CommandQuestion | ToolQuestion | PatchQuestion


@frozen
class Review:
    """The user's answer.

    Attributes:
        feedback: what the user tells the model with a denial.
    """

    decision: ReviewDecision
    feedback: str | None = None


class Approver(Protocol):
    """Asks the user and remembers what was allowed for the session."""

    async def ask(self, question: Question) -> Review:
        """Return the answer, however long it takes; a frontend without a user denies immediately."""
        ...

    def approved(self, *grants: Grant) -> bool:
        """Whether the user has allowed all of these for the session; False without any."""
        ...

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        """Return the command patterns that the user has allowed for the session."""
        ...
