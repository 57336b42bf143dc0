"""The limits of one turn, and how much is left."""

from code_core.config.schema.commands import LimitsTable
from code_core.errors import TurnError
from code_core.model.catalog import Prices
from code_core.protocol.token_events import LimitsLeft, TokenUsage
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.reporter import TokenTotals


class TurnLimits:
    """The limits of a turn that begins now.

    Args:
        table: the limits; absent ones do not apply.
        clock: the turn's clock.
        totals: the session's usage, before and during this turn.
    """

    def __init__(self, table: LimitsTable, clock: TurnClock, totals: TokenTotals) -> None:
        self._table = table
        self._clock = clock
        self._totals = totals
        self._tokens_before = totals.total.total_tokens
        self._cost_before = totals.cost_usd
        self._calls = 0
        self._prices: Prices | None = None
        self._unreported = TokenUsage()

    def check_prices(self, model: str, prices: Prices | None) -> None:
        """Check that a cost limit can be enforced.

        Raises:
            TurnError: it cannot, because the price of the model is unknown.
        """
        if self._table.max_cost_usd is not None and prices is None:
            raise TurnError(
                f"max_cost_usd is set, but the price of {model} is unknown: "
                f'set prices for it, [models."{model}".prices], or unset the limit'
            )
        self._prices = prices

    def add_unreported(self, read: int, written: int) -> None:
        """Count estimated tokens of a response for which the provider reported no usage."""
        usage = TokenUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)
        self._unreported += usage

    def add_calls(self, number: int) -> None:
        """Count `number` tool calls that the model requests.

        Raises:
            TurnError: a limit is exceeded; none of the calls may run.
        """
        self._calls += number
        table = self._table
        if table.max_tool_calls is not None and self._calls > table.max_tool_calls:
            raise TurnError(f"stopped after {table.max_tool_calls} tool calls (max_tool_calls)")
        if table.max_total_tokens is not None and self._tokens > table.max_total_tokens:
            raise TurnError(
                f"stopped after {self._tokens} tokens (max_total_tokens is {table.max_total_tokens})"
            )
        if table.max_cost_usd is not None and self._cost > table.max_cost_usd:
            raise TurnError(
                f"stopped after {self._cost:.4f} US dollars (max_cost_usd is {table.max_cost_usd:g})"
            )

    def left(self) -> LimitsLeft | None:
        """What is left of each limit, or None without limits."""
        table, seconds = self._table, self._clock.left
        left = LimitsLeft(
            tool_calls=None if table.max_tool_calls is None else max(0, table.max_tool_calls - self._calls),
            wall_seconds=None if seconds is None else round(seconds, 1),
            total_tokens=None
            if table.max_total_tokens is None
            else max(0, table.max_total_tokens - self._tokens),
            cost_usd=None
            if table.max_cost_usd is None
            else round(max(0.0, table.max_cost_usd - self._cost), 6),
        )
        return left if left != LimitsLeft() else None

    @property
    def _tokens(self) -> int:
        return self._totals.total.total_tokens - self._tokens_before + self._unreported.total_tokens

    @property
    def _cost(self) -> float:
        unreported = 0.0 if self._prices is None else self._prices.of(self._unreported)
        return self._totals.cost_usd - self._cost_before + unreported
