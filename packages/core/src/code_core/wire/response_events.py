"""What a model's response is made of, whatever the wire format."""

from dataclasses import dataclass
from typing import Any

from code_core.protocol.events import EventOrder
from code_core.protocol.items import ResponseItem
from code_core.protocol.token_events import TokenUsage


@dataclass(frozen=True, slots=True)
class Created:
    """The provider has accepted the request."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much of the user's allowance is used, from the response's headers."""

    snapshot: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of a message."""

    delta: str
    order: EventOrder | None = None
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningSummaryDelta:
    """The next piece of a reasoning summary."""

    delta: str
    order: EventOrder | None = None


@dataclass(frozen=True, slots=True)
class ReasoningSectionBreak:
    """A new part of the reasoning summary begins."""

    order: EventOrder | None = None


@dataclass(frozen=True, slots=True)
class ReasoningTextDelta:
    """The next piece of raw reasoning."""

    delta: str
    order: EventOrder | None = None


@dataclass(frozen=True, slots=True)
class WebSearchStarted:
    """The provider has started a search by itself."""

    call_id: str
    order: EventOrder | None = None


@dataclass(frozen=True, slots=True)
class ItemDone:
    """A finished item: the authoritative form of what the deltas announced."""

    item: ResponseItem
    order: EventOrder | None = None


@dataclass(frozen=True, slots=True)
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
