"""Reads the chunks of a Chat Completions stream as response events.

Source: the OpenAI API reference, "Chat Completions streaming", as of October 2025; and the
deviations of llama.cpp, vLLM, Ollama, LM Studio, OpenRouter, Mistral and DeepSeek.
"""

import logging
from typing import Any

from code_core.errors import ModelError, StreamBroken
from code_core.protocol.events import EventOrder
from code_core.protocol.items import Message, OutputText, Refusal, ResponseItem
from code_core.protocol.token_events import TokenUsage
from code_core.wire.chat_calls import CallAssembly
from code_core.wire.chat_reasoning import THINKING, ReasoningPieces, reasoning_text, thinking_text
from code_core.wire.chat_usage import usage_in
from code_core.wire.event_json import event_value
from code_core.wire.failures import error_in, failure_of, incomplete
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
)
from code_core.wire.response_items import item_from_provider
from code_core.wire.sse import SseEvent
from code_core.wire.think_tags import Piece, ThinkTags

_log = logging.getLogger("code_core")

_CUT_OFF = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
_FILTERED = frozenset({"content_filter", "sensitive", "safety", "recitation"})
_FAILED = frozenset({"error", "abort", "network_error", "insufficient_system_resource"})
EMPTY = (
    "the response is empty: neither text nor a call (a prompt that is longer than the server's context can "
    "cause this)"
)


class ChatReader:
    """Converts the server-sent events of one response to response events.

    Feed it every event in order until `finished`, then take what `end()` returns.

    Args:
        request_ordinal: the number of the request in the conversation.
        origin: the owner of the reasoning; see `Reasoning`.
        think_tags: finds reasoning in the text, if the server leaves it there.
        max_output: the output limit that the request set, in tokens.
    """

    def __init__(
        self,
        request_ordinal: int = 0,
        origin: str = "",
        think_tags: ThinkTags | None = None,
        max_output: int | None = None,
    ) -> None:
        self._ordinal = request_ordinal
        self._origin = origin
        self._max_output = max_output
        self._think_tags = think_tags
        self._item_count = 0
        self._id: str | None = None
        self._usage: TokenUsage | None = None
        self._failure: ModelError | None = None
        self._reasoning: ReasoningPieces | None = None
        self._text = _Text()
        self._calls = CallAssembly(self._next_index)
        self._answered = False
        self._done = False
        self._finish_reason = ""

    @property
    def finished(self) -> bool:
        """Whether all further events can be ignored."""
        return self._done or self._failure is not None

    @property
    def whole(self) -> bool:
        """Whether the answer is complete, even if more, such as the usage, may follow."""
        return bool(self._finish_reason)

    def feed(self, event: SseEvent) -> list[ResponseEvent]:
        """Return the response events in `event`.

        Raises:
            StreamBroken: a chunk cannot be read.
        """
        if event.data.strip() == b"[DONE]":
            self._done = True
            return []
        try:
            values = [event_value(event.data)]
        except ValueError:
            try:  # blank lines between events are missing
                values = [
                    event_value(line)
                    for line in event.data.split(b"\n")
                    if line.strip() and line.strip() != b"[DONE]"
                ]
            except ValueError:
                if b'"choices"' in event.data:
                    raise StreamBroken("the provider sent a chunk that is not JSON") from None
                _log.debug("skipped an event that is not JSON (%d bytes)", len(event.data))
                return []
            self._done = event.data.rstrip().endswith(b"[DONE]")
        if event.event == "error":
            values = [value if error_in(value) else {"error": value} for value in values]
        return [read for value in values if isinstance(value, dict) for read in self.read(value)]

    def read(self, chunk: dict[str, Any]) -> list[ResponseEvent]:
        """Return the response events for the decoded `chunk`."""
        if self._failure is not None:
            return []
        choice = _first_choice(chunk.get("choices"))
        if (failure := _failure_in(chunk, choice)) is not None:
            self._failure = failure
            return []
        events: list[ResponseEvent] = []
        if self._id is None:
            self._id = chunk["id"] if isinstance(chunk.get("id"), str) else ""
            events.append(Created())
        self._usage = usage_in(chunk, choice) or self._usage
        if choice is None:
            self._done = self._done or (self.whole and self._usage is not None)
            return events
        delta = choice.get("delta") or choice.get("message")
        if isinstance(delta, dict):
            events += self._delta(delta)
        reason = choice.get("finish_reason")
        if isinstance(reason, str) and reason:
            self._finish_reason = reason.lower()
        if self._finish_reason in _CUT_OFF:  # keep the text even though the response fails
            events += self._close()
        return events

    def end(self) -> list[ResponseEvent]:
        """Return the remaining events: the last message, the calls, the end.

        Raises:
            ModelError: the response is incomplete or empty; the subclass says whether to retry.
        """
        if self._failure is not None:
            raise self._failure
        if not self.whole and not self._done:
            raise StreamBroken("the stream closed before the response was complete")
        match self._finish_reason:
            case reason if reason in _FAILED:
                raise StreamBroken(f"the response failed (finish_reason {reason})", code="provider")
            case reason if reason in _FILTERED:
                raise incomplete("content_filter")
            case reason if reason in _CUT_OFF:
                raise incomplete("length", self._usage, self._max_output)
        events = self._close()
        for index, value in self._calls.finished():
            item = item_from_provider(value)
            if item is not None:
                events.append(self._item(item, index))
        if not self._answered:
            raise StreamBroken(EMPTY, empty=True)
        return [*events, Completed(self._id or "", self._usage)]

    def _delta(self, delta: dict[str, Any]) -> list[ResponseEvent]:
        events: list[ResponseEvent] = []
        if (found := reasoning_text(delta)) is not None:
            events += self._think(*found)
        if isinstance(details := delta.get("reasoning_details"), list) and details:
            events += self._think("", "")
            assert self._reasoning is not None  # noqa: S101 - set by `_think`
            self._reasoning.add_details(details)
        content = delta.get("content")
        for part in content if isinstance(content, list) else [content]:
            match part:
                case str(text) | {"text": str(text)}:
                    if self._think_tags is None:
                        events += self._write(text)
                    else:
                        events += self._tagged(self._think_tags.add(text))
                case {"type": "thinking", "thinking": inner}:
                    events += self._think(THINKING, thinking_text(inner))
        if isinstance(refusal := delta.get("refusal"), str):
            events += self._write(refusal, refusal=True)
        pieces = delta.get("tool_calls")
        pieces = pieces if isinstance(pieces, list) else [pieces] if isinstance(pieces, dict) else []
        if isinstance(legacy := delta.get("function_call"), dict):
            pieces = [*pieces, {"index": -1, "function": legacy}]
        if pieces:
            events += self._close()
        for piece in pieces:
            self._calls.add(piece)
        return events

    def _think(self, name: str, text: str) -> list[ResponseEvent]:
        events = self._close_message()
        if self._reasoning is None:
            self._reasoning = ReasoningPieces(self._next_index())
        if not text:
            return events
        self._reasoning.add(name, text)
        return [*events, ReasoningTextDelta(text, self._order(self._reasoning.index))]

    def _write(self, text: str, *, refusal: bool = False) -> list[ResponseEvent]:
        delta = self._text.add(text, refusal=refusal)
        if not delta:
            return []
        events = self._close_reasoning()
        if self._text.index is None:
            self._text.index = self._next_index()
        return [*events, TextDelta(delta, self._order(self._text.index))]

    def _tagged(self, pieces: list[Piece]) -> list[ResponseEvent]:
        """The events of a text that may contain reasoning, which is not sent back because it has no field."""
        events: list[ResponseEvent] = []
        for kind, text in pieces:
            events += self._think("", text) if kind == "reasoning" else self._write(text)
        return events

    def _close(self) -> list[ResponseEvent]:
        """End the reasoning and the message being streamed."""
        rest = [] if self._think_tags is None else self._tagged(self._think_tags.end())
        return [*rest, *self._close_reasoning(), *self._close_message()]

    def _close_reasoning(self) -> list[ResponseEvent]:
        reasoning, self._reasoning = self._reasoning, None
        if reasoning is None or not (reasoning.pieces or reasoning.details):
            return []
        return [self._item(reasoning.item(self._origin), reasoning.index)]

    def _close_message(self) -> list[ResponseEvent]:
        text, self._text = self._text, _Text()
        if text.index is None:
            return []
        return [self._item(text.message(), text.index)]

    def _item(self, item: ResponseItem, index: int) -> ItemDone:
        self._answered = self._answered or item.type != "reasoning"
        return ItemDone(item, self._order(index))

    def _next_index(self) -> int:
        self._item_count += 1
        return self._item_count - 1

    def _order(self, index: int) -> EventOrder:
        return EventOrder(request_ordinal=self._ordinal, output_index=index)


class _Text:
    """A message being streamed. Leading blanks are held until a word follows, because some models send nothing else."""

    def __init__(self) -> None:
        self.index: int | None = None
        self._begun = False
        self._pieces: list[str] = []
        self._refused = False

    def add(self, text: str, *, refusal: bool) -> str:
        """Return the text that can be shown now."""
        if text:
            self._pieces.append(text)
            self._refused = self._refused or refusal
        if self._begun or not text.strip():
            return text if self._begun else ""
        self._begun = True
        self._pieces = ["".join(self._pieces).lstrip()]
        return self._pieces[0]

    def message(self) -> Message:
        """The finished item."""
        text = "".join(self._pieces)
        return Message(
            role="assistant", content=[Refusal(refusal=text) if self._refused else OutputText(text=text)]
        )


def _first_choice(choices: object) -> dict[str, Any] | None:
    """The first choice; we request one, and others, with an index above 0, would be different answers."""
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and not (isinstance(index := choice.get("index"), int) and index > 0):
            return choice
    return None


def _failure_in(chunk: dict[str, Any], choice: dict[str, Any] | None) -> ModelError | None:
    """The failure that a chunk reports; servers do so in mid-stream."""
    if chunk.get("error"):
        return failure_of(error_in(chunk) or {"message": str(chunk["error"])})
    if choice is not None and isinstance(error := choice.get("error"), dict) and error:
        return failure_of(error)
    if choice is None and chunk.get("object") == "error":
        return failure_of(error_in(chunk) or chunk)
    if "choices" not in chunk and "usage" not in chunk and (error := error_in(chunk)):
        return failure_of(error)
    return None
