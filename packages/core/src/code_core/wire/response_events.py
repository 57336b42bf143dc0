"""The events of a model's response, independent of the wire format."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from code_core.frozen import frozen
from code_core.protocol.events import EventOrder
from code_core.protocol.items import ResponseItem
from code_core.protocol.token_events import TokenUsage


@frozen
class Created:
    """The provider has accepted the request."""


@frozen
class RateLimits:
    """Usage of the user's rate limits, from the response's headers."""

    snapshot: dict[str, Any]


@frozen
class TextDelta:
    """The next piece of a message."""

    delta: str
    order: EventOrder | None = None
    item_id: str | None = None


@frozen
class ReasoningSummaryDelta:
    """The next piece of a reasoning summary."""

    delta: str
    order: EventOrder | None = None


@frozen
class ReasoningSectionBreak:
    """The start of a new part of the reasoning summary."""

    order: EventOrder | None = None


@frozen
class ReasoningTextDelta:
    """The next piece of raw reasoning."""

    delta: str
    order: EventOrder | None = None


@frozen
class WebSearchStarted:
    """The provider has started a search."""

    call_id: str
    order: EventOrder | None = None


@frozen
class ItemDone:
    """A finished item, which replaces what its deltas announced."""

    item: ResponseItem
    order: EventOrder | None = None


@frozen
class Completed:
    """The end of a complete response."""

    response_id: str
    usage: TokenUsage | None


ResponseEvent = (
    Created
    | RateLimits
    | TextDelta
    | ReasoningSummaryDelta
    | ReasoningSectionBreak
    | ReasoningTextDelta
    | WebSearchStarted
    | ItemDone
    | Completed
)

Piece = TextDelta | ReasoningSummaryDelta | ReasoningTextDelta

LONGEST_JOINED = 8 * 1024
"""Characters after which a joined piece stops growing."""


def joined(events: Iterable[ResponseEvent]) -> Iterator[ResponseEvent]:
    """Yield `events` with consecutive pieces of the same text joined.

    An error raised by `events` comes after the events before it.
    """
    pieces: list[Piece] = []
    size = 0
    try:
        for event in events:
            if pieces and (size >= LONGEST_JOINED or _text_of(event) != _text_of(pieces[0])):
                yield _whole(pieces)
                pieces, size = [], 0
            if isinstance(event, Piece):
                pieces.append(event)
                size += len(event.delta)
            else:
                yield event
    except Exception:
        if pieces:
            yield _whole(pieces)
        raise
    if pieces:
        yield _whole(pieces)


def _text_of(event: ResponseEvent) -> tuple[object, ...]:
    """The identity of the text of one response that a piece belongs to."""
    order = getattr(event, "order", None)
    return type(event), order and order.output_index, getattr(event, "item_id", None)


def _whole(pieces: list[Piece]) -> Piece:
    first = pieces[0]
    return first if len(pieces) == 1 else replace(first, delta="".join(piece.delta for piece in pieces))
