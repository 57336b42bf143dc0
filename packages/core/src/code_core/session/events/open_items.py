"""Tracks items that have begun but not ended: late readers see them, and aborted tasks must end them."""

import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.approval_events import ApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.mcp_events import (
    ElicitationRequest,
    ElicitationWithdrawn,
    McpToolCallBegin,
    McpToolCallEnd,
)
from code_core.protocol.question_events import RequestUserInput
from code_core.protocol.session_events import EnteredReviewMode, ExitedReviewMode

INTERRUPTED_EXIT_CODE = 130
Begin = ExecCommandBegin | PatchApplyBegin | McpToolCallBegin | WebSearchBegin | EnteredReviewMode
End = ExecCommandEnd | PatchApplyEnd | McpToolCallEnd | WebSearchComplete | ExitedReviewMode
Question = ApprovalRequest | ElicitationRequest | RequestUserInput
TaskEnd = TaskComplete | TurnAborted | ErrorEvent


_KINDS: dict[type[Any], str] = {
    ExecCommandBegin: "command",
    ExecCommandEnd: "command",
    PatchApplyBegin: "patch",
    PatchApplyEnd: "patch",
    McpToolCallBegin: "server tool",
    McpToolCallEnd: "server tool",
    WebSearchBegin: "search",
    WebSearchComplete: "search",
    EnteredReviewMode: "review",
    ExitedReviewMode: "review",
    ElicitationRequest: "elicitation",
    ElicitationWithdrawn: "elicitation",
}


def item_of(msg: EventMsg) -> Hashable:
    """The key that a begin event shares with its end event, and an elicitation with its withdrawal."""
    name: str | None
    match msg:
        case ElicitationRequest(id=name) | ElicitationWithdrawn(id=name):
            pass
        case _:
            name = getattr(msg, "call_id", None)
    return _KINDS[type(msg)], name


def question_id(question: Question) -> str:
    """The id with which an answer refers to `question`."""
    match question:
        case ElicitationRequest(id=name) | RequestUserInput(request_id=name):
            return name
        case _:
            return question.approval_id


@dataclass(slots=True, eq=False, repr=False)
class OpenItems:
    """Follows a session's events and keeps the open items.

    Attributes:
        begun: begin events without an end, with their times, by item.
        questions: open questions, by the id that an answer uses.
        message: the latest delta of the message being streamed.
        text: all text of that message so far.
    """

    begun: dict[Hashable, tuple[Event, float]] = field(default_factory=dict)
    questions: dict[str, Event] = field(default_factory=dict)
    message: Event | None = None
    text: list[str] = field(default_factory=list)
    task: Event | None = None

    def observe(self, event: Event) -> None:
        """Update the open items from the next event."""
        match event.msg:
            case AgentMessageDelta(delta=delta):
                self.message = event
                self.text.append(delta)
            case AgentMessage() | AgentMessageReset():
                self._end_message()
            case TaskStarted():
                self.task = event
            case TaskComplete() | TurnAborted() | ErrorEvent():
                if self.task is not None and self.task.id == event.id:
                    self.task = None
                    self.questions.clear()
                    self._end_message()
            case msg if isinstance(msg, Begin):
                self.begun[item_of(msg)] = event, time.monotonic()
            case msg if isinstance(msg, End):
                self.begun.pop(item_of(msg), None)
            case msg if isinstance(msg, Question):
                self.questions[question_id(msg)] = event
            case ElicitationWithdrawn(id=question):
                self.answered(question)
            case _:
                pass

    def grow(self, piece: str) -> None:
        """Add text that was merged into the latest delta."""
        self.text.append(piece)

    def _end_message(self) -> None:
        self.message = None
        self.text.clear()

    def answered(self, question: str) -> None:
        """Remove a question that has been answered."""
        self.questions.pop(question, None)

    def events(self) -> list[Event]:
        """Events for a late reader, in their original envelopes: task, text so far, begins, questions."""
        events = [event for event, _ in self.begun.values()] + [*self.questions.values()]
        if self.message is not None:
            whole = self.message.msg.model_copy(update={"delta": "".join(self.text)})
            events.append(self.message.model_copy(update={"msg": whole}))
        task = [] if self.task is None else [self.task]
        return task + sorted(events, key=lambda event: event.event_seq)

    def owed(self, submission: str, reason: str) -> list[EventMsg]:
        """Return the end events still missing for `submission`, for a task that ends without them."""
        ends = []
        for begin, since in self.begun.values():
            if begin.id == submission:
                ends.append(_end_of(begin.msg, reason, Duration.of(time.monotonic() - since)))
        return ends


def _end_of(begin: EventMsg, reason: str, duration: Duration) -> EventMsg:
    match begin:
        case ExecCommandBegin(call_id=call_id):
            return ExecCommandEnd(
                call_id=call_id, stdout="", stderr=reason, exit_code=INTERRUPTED_EXIT_CODE, duration=duration
            )
        case PatchApplyBegin(call_id=call_id):
            return PatchApplyEnd(call_id=call_id, stdout="", stderr=reason, success=False)
        case McpToolCallBegin(call_id=call_id, invocation=invocation):
            return McpToolCallEnd(
                call_id=call_id, invocation=invocation, duration=duration, result={"Err": reason}
            )
        case WebSearchBegin(call_id=call_id):
            return WebSearchComplete(call_id=call_id)
        case EnteredReviewMode():
            return ExitedReviewMode()
        case _:
            raise AssertionError(f"{begin.type} has no end")
