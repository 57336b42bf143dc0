"""What a model's response is made of, whatever the wire format."""

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
    """How much of the user's allowance is used, from the response's headers."""

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
    """A new part of the reasoning summary begins."""

    order: EventOrder | None = None


@frozen
class ReasoningTextDelta:
    """The next piece of raw reasoning."""

    delta: str
    order: EventOrder | None = None


@frozen
class WebSearchStarted:
    """The provider has started a search by itself."""

    call_id: str
    order: EventOrder | None = None


@frozen
class ItemDone:
    """A finished item: the authoritative form of what the deltas announced."""

    item: ResponseItem
    order: EventOrder | None = None


@frozen
class Completed:
    """The response is whole; nothing follows."""

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
"""Characters from which on a joined piece grows no more."""


def joined(events: Iterable[ResponseEvent]) -> Iterator[ResponseEvent]:
    """`events`, with pieces of one text that follow each other as one piece in the place of the first.

    An error of `events` comes after what preceded it.
    """
    pieces: list[Piece] = []
    size = 0
    try:
        for event in events:
            if pieces and (size >= LONGEST_JOINED or not _continues(event, pieces[0])):
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


def _continues(event: ResponseEvent, first: Piece) -> bool:
    return type(event) is type(first) and _text_of(event) == _text_of(first)


def _text_of(piece: Any) -> tuple[object, ...]:
    """What identifies the text that a piece is of."""
    order = piece.order
    place = None if order is None else (order.request_ordinal, order.output_index)
    return place, getattr(piece, "item_id", None)


def _whole(pieces: list[Piece]) -> Piece:
    first = pieces[0]
    return first if len(pieces) == 1 else replace(first, delta="".join(piece.delta for piece in pieces))
