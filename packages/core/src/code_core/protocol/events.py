"""Events: everything a conversation reports to a frontend, in order, once.

Frontends must expect unknown event types and either render or skip them. Byte chunks are
base64, durations `{secs, nanos}`, and file changes externally tagged.
"""

from functools import cache
from typing import Annotated, Literal, get_args

from pydantic import Discriminator, Tag, TypeAdapter

from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageReset,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningReset,
    AgentReasoningSectionBreak,
)
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.file_changes import FileChange
from code_core.protocol.mcp_events import (
    ElicitationComplete,
    ElicitationRequest,
    ElicitationWithdrawn,
    McpGetPromptResponse,
    McpListPromptsResponse,
    McpListResourcesResponse,
    McpListToolsResponse,
    McpOffersChanged,
    McpServerStatus,
    McpToolCallBegin,
    McpToolCallEnd,
    McpToolCallProgress,
)
from code_core.protocol.model import ProtocolModel, tag_of
from code_core.protocol.ops import InputItem
from code_core.protocol.parsed_command import ParsedCommand
from code_core.protocol.question_events import ListCustomPromptsResponse, PlanProposed, RequestUserInput
from code_core.protocol.session_events import (
    ContextCompacted,
    EnteredReviewMode,
    EventsSkipped,
    ExitedReviewMode,
    GetHistoryEntryResponse,
    QueueChanged,
    SessionRenamed,
    SessionSnapshot,
    SettingsChanged,
    UndoAvailable,
    UndoCompleted,
    UnknownEvent,
)
from code_core.protocol.terminal_events import TerminalEnded, TerminalsChanged
from code_core.protocol.text import FilePath, Text
from code_core.protocol.token_events import TokenCount


class SessionConfigured(ProtocolModel):
    """The conversation is ready; always the first event.

    Attributes:
        name: the user's name for the session.
        preview: the beginning of its first input; empty before that.
        history_items: the initial number of items in a resumed or forked session.
    """

    type: Literal["session_configured"] = "session_configured"
    session_id: Text
    model: Text
    cwd: FilePath
    approval_policy: Text
    sandbox_mode: Text
    collaboration_mode: Text = "default"
    name: Text | None = None
    preview: Text = ""
    history_items: int = 0


class TaskStarted(ProtocolModel):
    """A task has begun; its `turn_id` stays the same when the session is resumed."""

    type: Literal["task_started"] = "task_started"
    model_context_window: int | None = None
    turn_id: Text | None = None
    kind: Text = "turn"


class TaskComplete(ProtocolModel):
    """A turn has ended successfully."""

    type: Literal["task_complete"] = "task_complete"
    last_agent_message: Text | None = None


class TurnAborted(ProtocolModel):
    """A turn was stopped."""

    type: Literal["turn_aborted"] = "turn_aborted"
    reason: Literal["interrupted", "replaced"]


class ErrorEvent(ProtocolModel):
    """A turn has failed, or an operation could not be carried out."""

    type: Literal["error"] = "error"
    message: Text
    code: Text | None = None
    """The kind of error, as in `code_core.errors.CodeError.code`, or `busy`, `input_too_large` or `no_plan`; others may be added."""


class WarningEvent(ProtocolModel):
    """Something the user should know that does not stop the turn."""

    type: Literal["warning"] = "warning"
    message: Text


class BackgroundEvent(ProtocolModel):
    """Something that happened alongside the turn."""

    type: Literal["background_event"] = "background_event"
    message: Text


class StreamError(ProtocolModel):
    """The model's stream broke; the request is repeated after the delay."""

    type: Literal["stream_error"] = "stream_error"
    message: Text
    attempt: int
    max: int
    delay_ms: int
    code: Text | None = None


class UserMessage(ProtocolModel):
    """User input as it entered the history; `id` is that of the operation or of the queue entry."""

    type: Literal["user_message"] = "user_message"
    items: list[InputItem]
    id: Text | None = None


class WebSearchBegin(ProtocolModel):
    """The provider has started a search."""

    type: Literal["web_search_begin"] = "web_search_begin"
    call_id: Text


class WebSearchComplete(ProtocolModel):
    """The provider has finished a search."""

    type: Literal["web_search_complete"] = "web_search_complete"
    call_id: Text
    query: Text | None = None


class ExecCommandBegin(ProtocolModel):
    """A command starts, or receives input.

    Attributes:
        session_id: the number of a command that may outlive its call.
        input: the text typed into it; null if it starts or is only waited for.
    """

    type: Literal["exec_command_begin"] = "exec_command_begin"
    call_id: Text
    command: list[Text]
    cwd: FilePath
    parsed_cmd: list[ParsedCommand] = []
    source: Literal["agent", "user"] = "agent"
    session_id: int | None = None
    input: Text | None = None


class ExecCommandOutputDelta(ProtocolModel):
    """Output of a running command; `chunk` is base64 of at most 8 KiB."""

    type: Literal["exec_command_output_delta"] = "exec_command_output_delta"
    call_id: Text
    stream: Literal["stdout", "stderr"]
    chunk: Text


class ExecCommandEnd(ProtocolModel):
    """A command, or a wait for its output, has ended. The streams are cut as for the model.

    Attributes:
        session_id: set if the command continues under this number; the exit code is then 0 and meaningless.
    """

    type: Literal["exec_command_end"] = "exec_command_end"
    call_id: Text
    stdout: Text
    stderr: Text
    exit_code: int
    duration: Duration
    session_id: int | None = None


class PatchApplyBegin(ProtocolModel):
    """A patch is about to be applied; `changes` are in the order of the patch."""

    type: Literal["patch_apply_begin"] = "patch_apply_begin"
    call_id: Text
    auto_approved: bool
    changes: dict[Text, FileChange]


class PatchApplyEnd(ProtocolModel):
    """A patch was applied or failed; `stdout` and `stderr` say what happened."""

    type: Literal["patch_apply_end"] = "patch_apply_end"
    call_id: Text
    stdout: Text
    stderr: Text
    success: bool


class ToolCallFailed(ProtocolModel):
    """A call failed before it started: it was rejected, guarded or malformed.

    Attributes:
        tool: the name that the model used.
        call: an excerpt of the command or of the raw arguments.
        message: the answer to the model.
    """

    type: Literal["tool_call_failed"] = "tool_call_failed"
    call_id: Text
    tool: Text
    call: Text | None = None
    message: Text


class TurnDiff(ProtocolModel):
    """All changes of the turn so far, as one git-style diff."""

    type: Literal["turn_diff"] = "turn_diff"
    unified_diff: Text


class PlanStep(ProtocolModel):
    """One step of the agent's plan."""

    step: Text
    status: Literal["pending", "in_progress", "completed"]


class PlanUpdate(ProtocolModel):
    """The agent's complete plan."""

    type: Literal["plan_update"] = "plan_update"
    name: Text | None = None
    explanation: Text | None = None
    plan: list[PlanStep]


class ShutdownComplete(ProtocolModel):
    """The conversation has ended; always the last event."""

    type: Literal["shutdown_complete"] = "shutdown_complete"


KnownEvent = (
    SessionConfigured
    | TaskStarted
    | TaskComplete
    | TurnAborted
    | ErrorEvent
    | WarningEvent
    | BackgroundEvent
    | StreamError
    | TokenCount
    | UserMessage
    | AgentMessage
    | AgentMessageDelta
    | AgentMessageReset
    | AgentReasoning
    | AgentReasoningDelta
    | AgentReasoningRawContent
    | AgentReasoningRawContentDelta
    | AgentReasoningSectionBreak
    | AgentReasoningReset
    | WebSearchBegin
    | WebSearchComplete
    | ExecCommandBegin
    | ExecCommandOutputDelta
    | ExecCommandEnd
    | ExecApprovalRequest
    | ApplyPatchApprovalRequest
    | PatchApplyBegin
    | PatchApplyEnd
    | ToolCallFailed
    | TurnDiff
    | PlanUpdate
    | McpToolCallBegin
    | McpToolCallEnd
    | ElicitationRequest
    | RequestUserInput
    | PlanProposed
    | ListCustomPromptsResponse
    | ElicitationComplete
    | ElicitationWithdrawn
    | McpListToolsResponse
    | McpListResourcesResponse
    | McpListPromptsResponse
    | McpGetPromptResponse
    | McpOffersChanged
    | McpServerStatus
    | McpToolCallProgress
    | QueueChanged
    | SettingsChanged
    | SessionRenamed
    | ContextCompacted
    | UndoAvailable
    | GetHistoryEntryResponse
    | UndoCompleted
    | EnteredReviewMode
    | ExitedReviewMode
    | TerminalsChanged
    | TerminalEnded
    | EventsSkipped
    | SessionSnapshot
    | ShutdownComplete
)


@cache
def _known() -> frozenset[str]:
    return frozenset(kind.model_fields["type"].default for kind in get_args(KnownEvent))


EventMsg = Annotated[
    Annotated[Annotated[KnownEvent, Discriminator("type")], Tag("known")]
    | Annotated[UnknownEvent, Tag("unknown")],
    Discriminator(lambda value: "known" if tag_of(value) in _known() else "unknown"),
]
"""The payload; an `UnknownEvent` for types added by newer versions."""


class EventOrder(ProtocolModel):
    """The position of an event in the model's stream, for frontends that re-order."""

    request_ordinal: int
    output_index: int | None = None
    sequence_number: int | None = None


class Event(ProtocolModel):
    """The envelope; `event_seq` grows by one per submission `id`."""

    id: Text
    event_seq: int
    msg: EventMsg
    order: EventOrder | None = None

    def to_json(self) -> str:
        """Return one line of ASCII JSON without absent fields, safe for any encoding and any terminal."""
        return self.model_dump_json(exclude_none=True, ensure_ascii=True)


@cache
def _event_adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


def parse_event(text: str | bytes) -> Event:
    """Parse an event from a line of JSON.

    Raises:
        pydantic.ValidationError: invalid JSON, no `type`, or an invalid field of a known type.
    """
    return _event_adapter().validate_json(text)
