"""Where a turn's events go, and the running count of tokens."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from code_core.protocol.events import EventMsg, EventOrder, TokenCount, TokenUsage, TokenUsageInfo


class EmitOrdered(Protocol):
    """Sends an event on, with its place in the model's stream."""

    def __call__(self, msg: EventMsg, order: EventOrder | None = None) -> Awaitable[None]:
        """Send `msg`."""
        ...


@dataclass(slots=True)
class TokenTotals:
    """Tokens that a conversation has used."""

    total: TokenUsage = field(default_factory=TokenUsage)


@dataclass(slots=True)
class Reporter:
    """The way out for one turn's events."""

    emit: EmitOrdered
    totals: TokenTotals
    context_window: int | None = None
    hide_reasoning: bool = False
    show_raw_reasoning: bool = False
    rate_limits: dict[str, Any] | None = None

    async def count_tokens(self, usage: TokenUsage | None) -> None:
        """Add the usage of one response and report where the conversation stands."""
        info = None
        if usage is not None:
            self.totals.total += usage
            info = TokenUsageInfo(
                total_token_usage=self.totals.total,
                last_token_usage=usage,
                model_context_window=self.context_window,
            )
        if info is not None or self.rate_limits is not None:
            await self.emit(TokenCount(info=info, rate_limits=self.rate_limits))
