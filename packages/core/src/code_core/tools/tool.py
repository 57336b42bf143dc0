"""What a tool is, and what it may use."""

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
    """The user answered an approval request with `abort`: the turn ends here."""


async def keep_nothing(paths: Sequence[Path] = ()) -> None:
    """The `before_write` and `before_command` of a session that cannot undo."""


@frozen
class ToolOutput:
    """What the model gets back.

    Attributes:
        images: data URLs of what the model is to see.
        fingerprint: the part of `text` that is the same when the same thing
            happened again (no durations); `text` itself when None.
        reported: the user knows of the failure, by an answer to a question.
    """

    text: str
    success: bool = True
    fingerprint: str | None = None
    images: tuple[str, ...] = ()
    reported: bool = False


@frozen
class ToolContext:
    """What a call may use: the settings of its turn, and the ways out.

    Attributes:
        environment: what commands get.
        output_limit: bytes of output that the model gets.
        outputs: directory for what is longer.
        home: the directory of settings and sessions.
        terminals: where commands run that outlive their calls; None where none may.
        before_write: keeps files as they are, for undo, before a call changes them.
        before_command: keeps whatever a command could change.
        planning: nothing may change; `sandbox_policy` is then read-only.
        asker: asks the user the model's questions; None where nobody can be asked.
        interrupted: what a call had got to when it was cancelled, by its id; the model gets it.
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
    changes: "TurnChanges"
    validation: ValidationSwitches = DEFAULT_SWITCHES
    terminals: "Terminals | None" = None
    before_write: BeforeWrite = keep_nothing
    before_command: BeforeCommand = keep_nothing
    planning: bool = False
    asker: "UserAsker | None" = None
    interrupted: dict[str, ToolOutput] = field(default_factory=dict)

    def output_file(self, call_id: str) -> Path:
        """Where the whole of a long output goes; a model chose the `call_id`."""
        name = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in call_id)[:100]
        return self.outputs / f"{name or 'call'}.txt"


def refusal(what: str, review: "Review") -> ToolOutput | None:
    """None if the user approved, else the answer to the model: that `what` was rejected, and the user's feedback.

    Raises:
        TurnAbandoned: the user does not want the turn to go on.
    """
    _log.info("%s: the answer is %s", what, review.decision.value)
    if review.decision is ReviewDecision.ABORT:
        raise TurnAbandoned
    if review.decision in _APPROVING:
        return None
    feedback = f": {review.feedback}" if review.feedback else ""
    return ToolOutput(f"{what} rejected by user{feedback}", success=False, reported=True)


class Tool(Protocol):
    """One thing the model can call. Wrong arguments are an output, never an exception."""

    @property
    def name(self) -> str:
        """The name the model uses."""
        ...

    @property
    def parallel_safe(self) -> bool:
        """Whether calls may run beside others: it changes nothing that others read."""
        ...

    def spec(self) -> ToolSpec:
        """The declaration, always the same."""
        ...

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Carry out `call`.

        Raises:
            TurnAbandoned: the user does not want the turn to go on.
        """
        ...
