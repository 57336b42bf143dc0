"""The tool protocol, and the context in which tools run."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from code_core.frozen import frozen
from code_core.protocol.events import EventMsg
from code_core.protocol.items import ToolCall
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxPolicy
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches
from code_core.wire.tool_specs import ToolSpec

if TYPE_CHECKING:
    from code_core.tools.approver import Approver, Review
    from code_core.tools.terminals import Terminals
    from code_core.tools.turn_changes import TurnChanges
    from code_core.tools.user_asker import UserAsker

_log = logging.getLogger("code_core")

Emit = Callable[[EventMsg], Awaitable[None]]
BeforeWrite = Callable[[Sequence[Path]], Awaitable[None]]
BeforeCommand = Callable[[], Awaitable[None]]

_APPROVING = frozenset(
    {ReviewDecision.APPROVED, ReviewDecision.APPROVED_FOR_SESSION, ReviewDecision.APPROVED_PREFIX}
)


class TurnAbandoned(Exception):  # noqa: N818 - an answer of the user, not an error
    """The user answered an approval request with `abort`, which ends the turn."""


async def keep_nothing(paths: Sequence[Path] = ()) -> None:
    """The `before_write` and `before_command` of a session without undo."""


@frozen
class ToolOutput:
    """The answer to the model.

    Attributes:
        images: data URLs of images for the model.
        fingerprint: identifies the result for detecting repetition, without durations and the like;
            `text` itself if None.
        reported: whether the user already knows of the failure, from answering a question.
    """

    text: str
    success: bool = True
    fingerprint: str | None = None
    images: tuple[str, ...] = ()
    reported: bool = False


@frozen
class ToolContext:
    """The settings and services that a call may use.

    Attributes:
        environment: the environment of commands.
        changes: returns the changes of the turn, always the same object.
        output_limit: bytes of output passed to the model.
        outputs: directory for longer output.
        home: the directory of settings and sessions.
        terminals: runs commands that outlive their calls; None if not supported.
        before_write: saves files for undo before a call changes them.
        before_command: saves whatever a command could change.
        planning: whether plan mode forbids changes; `sandbox_policy` is then read-only.
        asker: asks the user the model's questions; None if no user can answer.
        interrupted: partial output of cancelled calls, for the model, by call id.
    """

    cwd: Path
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    environment: Mapping[str, str]
    output_limit: int
    outputs: Path
    home: Path
    emit: Emit
    approver: "Approver"
    changes: "Callable[[], TurnChanges]"
    validation: ValidationSwitches = DEFAULT_SWITCHES
    terminals: "Terminals | None" = None
    before_write: BeforeWrite = keep_nothing
    before_command: BeforeCommand = keep_nothing
    planning: bool = False
    asker: "UserAsker | None" = None
    interrupted: dict[str, ToolOutput] = field(default_factory=dict)

    def output_file(self, call_id: str) -> Path:
        """The file for the whole of a long output; safe for any `call_id` that a model chooses."""
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in call_id)[:100]
        return self.outputs / f"{name or 'call'}.txt"


def refusal(what: str, review: "Review") -> ToolOutput | None:
    """Return None if the user approved, otherwise the answer to the model: `what` was rejected, with the user's feedback.

    Raises:
        TurnAbandoned: the user chose to stop the turn.
    """
    _log.info("%s: the answer is %s", what, review.decision.value)
    if review.decision is ReviewDecision.ABORT:
        raise TurnAbandoned
    if review.decision in _APPROVING:
        return None
    feedback = f": {review.feedback}" if review.feedback else ""
    return ToolOutput(f"{what} rejected by user{feedback}", success=False, reported=True)


class Tool(Protocol):
    """A tool that the model can call. Invalid arguments produce an output, never an exception."""

    @property
    def name(self) -> str:
        """The name that the model uses."""
        ...

    @property
    def parallel_safe(self) -> bool:
        """Whether calls may run alongside others, because they change nothing that others read."""
        ...

    def spec(self) -> ToolSpec:
        """The declaration, always the same."""
        ...

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Carry out `call`.

        Raises:
            TurnAbandoned: the user chose to stop the turn.
        """
        ...
