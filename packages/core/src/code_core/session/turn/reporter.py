"""Emits a turn's events and keeps the running token count."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from code_core.model.catalog import Prices
from code_core.protocol.events import EventMsg, EventOrder
from code_core.protocol.token_events import LimitsLeft, TokenCount, TokenUsage, TokenUsageInfo
from code_core.store.entries import EventEntry


class EmitOrdered(Protocol):
    """Emits an event, with its position in the model's stream."""

    def __call__(self, msg: EventMsg, order: EventOrder | None = None) -> Awaitable[None]:
        """Emit `msg`."""
        ...


@dataclass(slots=True, eq=False, repr=False)
class TokenTotals:
    """Tokens used by a conversation.

    Attributes:
        cost_usd: their cost, as far as prices are known.
        overhead: tokens that the provider counted for the last request and its answer beyond the estimated
            size of the history: instructions, tools, and estimation errors.
    """

    total: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    overhead: int = 0
    _too_long: int | None = None

    def note_request(self, usage: TokenUsage | None, history_tokens: int) -> None:
        """Add a response's usage; `history_tokens` is the estimated size of the history including its answer."""
        if usage is not None:
            self.overhead = max(0, usage.total_tokens - history_tokens)

    def note_overflow(self, history_tokens: int) -> None:
        """Record that the model refused a history of `history_tokens` as too long."""
        self._too_long = history_tokens

    def window(self, known: int | None) -> int | None:
        """Return the tokens that a request may use: `known`, or less if a request was refused."""
        limits = [limit for limit in (known, self._too_long) if limit is not None]
        return min(limits, default=None)

    def next_request(self, history_tokens: int) -> int:
        """Estimated size of the next request."""
        return history_tokens + self.overhead

    def entry(self) -> EventEntry:
        """The journal entry that records the total."""
        info = {"total_token_usage": self.total.model_dump(), "total_cost_usd": self.cost_usd}
        return EventEntry({"type": "token_count", "info": info})

    def history_replaced(self) -> None:
        """Forget a refusal as too long, because the history is shorter now."""
        self._too_long = None


@dataclass(slots=True, eq=False, repr=False)
class Reporter:
    """Emits one turn's events.

    Attributes:
        prices: the model's prices, if known.
        left: returns what is left of the turn's limits.
    """

    emit: EmitOrdered
    totals: TokenTotals
    context_window: int | None = None
    prices: Prices | None = None
    left: Callable[[], LimitsLeft | None] = lambda: None
    hide_reasoning: bool = False
    show_raw_reasoning: bool = False
    rate_limits: dict[str, Any] | None = None

    async def count_tokens(self, usage: TokenUsage | None) -> None:
        """Add the usage of one response and report the totals."""
        info = None
        if usage is not None:
            self.totals.total += usage
            self.totals.cost_usd += 0.0 if self.prices is None else self.prices.of(usage)
            info = TokenUsageInfo(
                total_token_usage=self.totals.total,
                last_token_usage=usage,
                model_context_window=self.context_window,
                total_cost_usd=self.totals.cost_usd or None,
            )
        if info is not None or self.rate_limits is not None:
            await self.emit(TokenCount(info=info, rate_limits=self.rate_limits, limits_left=self.left()))
