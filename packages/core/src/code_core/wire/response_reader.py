"""Reads the Responses API's server-sent events as response events.

Source: the OpenAI API reference, "Responses streaming", as of October 2025; and the deviations
of other servers with that API.
"""

import logging
from typing import Any

from code_core.errors import ModelError, StreamBroken
from code_core.protocol.events import EventOrder
from code_core.protocol.items import Reasoning, ResponseItem
from code_core.protocol.token_events import TokenUsage
from code_core.wire.assembly import Assembly
from code_core.wire.event_json import event_value
from code_core.wire.failures import error_in, failure_of, incomplete
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    ReasoningSectionBreak,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
    WebSearchStarted,
)
from code_core.wire.sse import SseEvent

_log = logging.getLogger("code_core")

_DONE = "response.output_item.done"


def event_objects(event: SseEvent) -> list[dict[str, Any]]:
    """Return the JSON objects in `event`, each with its own `type` or else the event's name as type.

    There may be more than one, if a server omits the blank lines between events.

    Raises:
        ValueError: a part of the data is not JSON.
    """
    try:
        values = [event_value(event.data)]
    except ValueError:
        if b"\n" not in event.data:
            raise
        values = [event_value(line) for line in event.data.split(b"\n") if line.strip()]
    objects = [value for value in values if isinstance(value, dict)]
    if event.event != "message":
        objects = [
            value
            if isinstance(value.get("type"), str) and "." in value["type"]
            else _named(value, event.event)
            for value in objects
        ]
    return objects


def _named(value: dict[str, Any], name: str) -> dict[str, Any]:
    """`value` with `name` as its type; an error's own type is kept in `error`, where it is looked up."""
    if name == "error" and "error" not in value:
        return {"error": value, "type": name}
    return {**value, "type": name}


class ResponseReader:
    """Converts the server-sent events of one response to response events.

    Feed it every event in order until `finished`, then call `end()`.

    Args:
        request_ordinal: the number of the request in the conversation.
        origin: the owner of the reasoning; see `Reasoning`.
        max_output: the output limit that the request set, in tokens.
    """

    def __init__(
        self, request_ordinal: int = 0, origin: str | None = None, max_output: int | None = None
    ) -> None:
        self._ordinal = request_ordinal
        self._origin = origin
        self._max_output = max_output
        self._failure: ModelError | None = None
        self._items = Assembly()
        self._next_index = 0  # index after the items received so far
        self.completed = False

    @property
    def finished(self) -> bool:
        """Whether the response is complete or has failed; further events can be ignored."""
        return self.completed or self._failure is not None

    @property
    def whole(self) -> bool:
        """See `Reader.whole`: nothing follows a complete response."""
        return self.finished

    def feed(self, event: SseEvent) -> list[ResponseEvent]:
        """Return the response events in `event`.

        Raises:
            StreamBroken: a finished item cannot be read.
        """
        try:
            objects = event_objects(event)
        except ValueError:
            if event.event == _DONE or f'"{_DONE}"'.encode() in event.data:
                raise StreamBroken("the provider sent a finished item that is not JSON") from None
            _log.debug("skipped an event that is not JSON (%d bytes)", len(event.data))
            return []
        return [read for value in objects for read in self.read(value)]

    def read(self, event: dict[str, Any]) -> list[ResponseEvent]:
        """Return the response events for the decoded `event`.

        Raises:
            StreamBroken: a finished item cannot be read.
        """
        try:
            return [] if self.finished else self._read(event)
        except TypeError as error:
            _log.debug("skipped an event of type %.80r: %s", event.get("type"), error)
            return []

    def end(self) -> list[ResponseEvent]:
        """Check that the response is complete and not empty; returns no further events.

        Raises:
            ModelError: it is incomplete or empty; the subclass says whether to retry.
        """
        if self._failure is not None:
            raise self._failure
        if not self.completed:
            raise StreamBroken("the stream closed before response.completed")
        if not self._items.answered:
            raise StreamBroken("the response is empty: neither text nor a call", empty=True)
        return []

    def _read(self, event: dict[str, Any]) -> list[ResponseEvent]:
        order = self._order(event)
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta" | "response.content_part.delta":
                delta = _text_of(event, "delta")
                self._items.delta(event, "message", delta)
                return [TextDelta(delta, order, _str(event.get("item_id")))]
            case "response.output_text.done":
                self._items.whole(event, "message", _text_of(event, "text"))
            case "response.refusal.done":
                self._items.whole(event, "message", _text_of(event, "refusal"))
            case "response.function_call_arguments.delta":
                self._items.delta(event, "function_call", _text_of(event, "delta"))
            case "response.function_call_arguments.done":
                self._items.whole(event, "function_call", _text_of(event, "arguments"))
            case "response.reasoning_summary_text.delta":
                return [ReasoningSummaryDelta(_text_of(event, "delta"), order)]
            case "response.reasoning_text.delta":
                return [ReasoningTextDelta(_text_of(event, "delta"), order)]
            case "response.reasoning_summary_part.added":
                return [ReasoningSectionBreak(order)]
            case "response.output_item.added":
                return self._item_added(event, order)
            case "response.output_item.done":
                return self._done(self._items.done(event, event.get("item")), order)
            case "response.created":
                return [Created()]
            case "response.completed" | "response.done":
                return self._completed(_dict(event.get("response")), order)
            case "response.failed":
                self._failure = failure_of(error_in(event.get("response")) or error_in(event))
            case "response.incomplete":
                self._failure = self._incomplete(_dict(event.get("response")))
            case "error":
                self._failure = failure_of(error_in(event) or event)
            case str(kind) if kind.startswith("response."):
                pass
            case _ if error := error_in(event) if event.get("error") else {}:
                self._failure = failure_of(error)
            case _ if event.get("object") == "response":
                return self._completed(event, order)
            case _:
                pass
        return []

    def _item_added(self, event: dict[str, Any], order: EventOrder) -> list[ResponseEvent]:
        item = _dict(event.get("item"))
        if item.get("type") == "web_search_call":
            return [WebSearchStarted(str(item.get("id") or ""), order)]
        self._items.added(event, item)
        return []

    def _completed(self, response: dict[str, Any], order: EventOrder) -> list[ResponseEvent]:
        """The end of the response, preceded by items that were not sent separately."""
        match response.get("status"):
            case "failed":
                self._failure = failure_of(error_in(response))
                return []
            case "incomplete":
                self._failure = self._incomplete(response)
                return []
        fresh = self._items.completed(response.get("output"))
        usage = _usage(response.get("usage"))
        if self._max_output is not None and usage is not None and usage.output_tokens == self._max_output:
            # llama.cpp calls a response complete that it cut off at the limit. What was written stays.
            self._failure = incomplete("max_output_tokens")
        self.completed = True
        done: list[ResponseEvent] = []
        for item in fresh:
            done += self._done(
                item, EventOrder(request_ordinal=order.request_ordinal, output_index=self._next_index)
            )
        return [*done, Completed(str(response.get("id") or ""), usage)]

    def _incomplete(self, response: dict[str, Any]) -> ModelError:
        return incomplete(_reason(response), _usage(response.get("usage")), self._max_output)

    def _done(self, item: ResponseItem | None, order: EventOrder) -> list[ResponseEvent]:
        if item is None:
            return []
        self._next_index = max(self._next_index, (order.output_index or 0) + 1)
        if isinstance(item, Reasoning):
            item = item.model_copy(update={"origin": self._origin})
        return [ItemDone(item, order)]

    def _order(self, event: dict[str, Any]) -> EventOrder:
        """The event's position, or that of the current item if the provider gives none."""
        index = _int_or_none(event.get("output_index"))
        return EventOrder(
            request_ordinal=self._ordinal,
            output_index=self._next_index if index is None else index,
            sequence_number=_int_or_none(event.get("sequence_number")),
        )


def _reason(response: dict[str, Any]) -> str:
    return str(_dict(response.get("incomplete_details")).get("reason") or "unknown reason")


def _usage(usage: object) -> TokenUsage | None:
    if not isinstance(usage, dict):
        return None
    counts = {
        "input_tokens": usage.get("input_tokens"),
        "cached_input_tokens": _dict(usage.get("input_tokens_details")).get("cached_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "reasoning_output_tokens": _dict(usage.get("output_tokens_details")).get("reasoning_tokens"),
        "total_tokens": usage.get("total_tokens"),
    }
    return TokenUsage(**{name: count for name, count in counts.items() if _int_or_none(count) is not None})


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _str(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text_of(event: dict[str, Any], key: str) -> str:
    text = event.get(key)
    if not isinstance(text, str):
        raise TypeError(key)
    return text
