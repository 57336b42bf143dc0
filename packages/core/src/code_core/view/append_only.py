"""Adapts events for frontends that cannot withdraw text: plain lines, ACP, MCP notifications."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageReset,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningReset,
)
from code_core.protocol.events import Event, EventMsg, TaskStarted
from code_core.wire.repeated_text import RepeatedText

_NEW_BEGINNING = "\n\n"


@dataclass(slots=True)
class _Shown:
    """What was shown of one kind of text since its last complete message."""

    delta: Callable[[str], EventMsg]
    pieces: list[str] = field(default_factory=list)
    withdrawn: RepeatedText | None = None

    def add(self, text: str) -> list[EventMsg]:
        """Return the deltas to show for the next piece `text`."""
        if self.withdrawn is not None:
            if not (text := self.withdrawn.add(text)):
                return []
            return self._beyond(text)
        self.pieces.append(text)
        return [self.delta(text)]

    def whole(self, text: str) -> list[EventMsg]:
        """Return the deltas to show before the complete message `text`."""
        missing = [] if self.withdrawn is None or self.withdrawn.shown == text else self._beyond(text)
        self.clear()
        return missing

    def reset(self) -> None:
        """Withdraw the shown text, which the following text may repeat."""
        shown = "".join(self.pieces) if self.withdrawn is None else self.withdrawn.shown
        self.clear()
        if shown:
            self.withdrawn = RepeatedText(shown)

    def clear(self) -> None:
        """Start over."""
        self.pieces = []
        self.withdrawn = None

    def _beyond(self, text: str) -> list[EventMsg]:
        """The part of `text` that was not shown, or all of it if it diverges."""
        shown = "" if self.withdrawn is None else self.withdrawn.shown
        self.withdrawn, self.pieces = None, [text]
        return [self.delta(text[len(shown) :] if text.startswith(shown) else _NEW_BEGINNING + text)]


class AppendOnly:
    """Removes text that a retry repeats, and events that withdraw text.

    If the text of a retry diverges, it starts after an empty line.
    """

    def __init__(self) -> None:
        self._message = _Shown(lambda text: AgentMessageDelta(delta=text))
        self._reasoning = _Shown(lambda text: AgentReasoningDelta(delta=text))
        self._raw = _Shown(lambda text: AgentReasoningRawContentDelta(delta=text))
        self._numbers: Counter[str] = Counter()

    def numbered(self, event: Event) -> list[Event]:
        """Return the events to show for `event`, renumbered without gaps or duplicates."""
        shown: list[Event] = []
        for msg in self.events(event.msg):
            number = self._numbers[event.id]
            self._numbers[event.id] += 1
            shown.append(event.model_copy(update={"msg": msg, "event_seq": number}))
        return shown

    def events(self, msg: EventMsg) -> list[EventMsg]:
        """Return the events to show for `msg`, in order."""
        match msg:
            case TaskStarted():
                for shown in (self._message, self._reasoning, self._raw):
                    shown.clear()
            case AgentMessageDelta(delta=delta):
                return self._message.add(delta)
            case AgentMessage(message=text):
                return [*self._message.whole(text), msg]
            case AgentReasoningDelta(delta=delta):
                return self._reasoning.add(delta)
            case AgentReasoning(text=text):
                return [*self._reasoning.whole(text), msg]
            case AgentReasoningRawContentDelta(delta=delta):
                return self._raw.add(delta)
            case AgentReasoningRawContent(text=text):
                return [*self._raw.whole(text), msg]
            case AgentMessageReset():
                self._message.reset()
                return []
            case AgentReasoningReset():
                self._reasoning.reset()
                self._raw.reset()
                return []
            case _:
                pass
        return [msg]
