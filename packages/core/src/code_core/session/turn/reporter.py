"""Where a turn's events go, and the running count of tokens."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from code_core.model.catalog import Prices
from code_core.protocol.events import EventMsg, EventOrder
from code_core.protocol.token_events import LimitsLeft, TokenCount, TokenUsage, TokenUsageInfo
from code_core.store.entries import EventEntry


class EmitOrdered(Protocol):
    """Sends an event on, with its place in the model's stream."""

    def __call__(self, msg: EventMsg, order: EventOrder | None = None) -> Awaitable[None]:
        """Send `msg`."""
        ...


@dataclass(slots=True)
class TokenTotals:
    """Tokens that a conversation has used.

    Attributes:
        cost_usd: what they cost, as far as prices are known.
        overhead: what the provider counted of the last request and its answer besides the history, whose
            size is an estimate: instructions, tools, and what the estimate missed.
    """

    total: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    overhead: int = 0
    _too_long: int | None = None

    def note_request(self, usage: TokenUsage | None, history_tokens: int) -> None:
        """The history has an answer in it now; `history_tokens` is the estimate of its size."""
        if usage is not None:
            self.overhead = max(0, usage.total_tokens - history_tokens)

    def note_overflow(self, history_tokens: int) -> None:
        """The model refused a request with a history of `history_tokens`, for its length."""
        self._too_long = history_tokens

    def window(self, known: int | None) -> int | None:
        """The tokens that a request may take: `known`, or less where a request was refused."""
        limits = [limit for limit in (known, self._too_long) if limit is not None]
        return min(limits, default=None)

    def next_request(self, history_tokens: int) -> int:
        """About how large the next request will be."""
        return history_tokens + self.overhead

    def entry(self) -> EventEntry:
        """How the journal records the total."""
        info = {"total_token_usage": self.total.model_dump(), "total_cost_usd": self.cost_usd}
        return EventEntry({"type": "token_count", "info": info})

    def history_replaced(self) -> None:
        """A shorter history: what was too long before tells nothing of it."""
        self._too_long = None


@dataclass(slots=True)
class Reporter:
    """The way out for one turn's events.

    Attributes:
        prices: of the model; None where nobody knows.
        left: what is left of the turn's limits.
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
        """Add the usage of one response and report where the conversation stands."""
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
