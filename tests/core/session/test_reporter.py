"""The running token count, and what is reported about it."""

from typing import Any

import anyio

from code_core.model.catalog import Prices
from code_core.protocol.events import EventMsg, EventOrder
from code_core.protocol.token_events import LimitsLeft, TokenCount, TokenUsage, TokenUsageInfo
from code_core.session.turn.reporter import Reporter, TokenTotals

TEN = TokenUsage(input_tokens=8, output_tokens=2, total_tokens=10)


def usage(total: int) -> TokenUsage:
    return TokenUsage(total_tokens=total)


def test_the_next_request_has_the_size_of_the_last_one_plus_new_items() -> None:
    totals = TokenTotals()
    assert totals.next_request(70) == 70
    totals.note_request(usage(100), 60)  # 40 of it are not history
    assert totals.next_request(60) == 100
    assert totals.next_request(85) == 125


def test_an_estimate_above_the_providers_count_is_used() -> None:
    totals = TokenTotals()
    totals.note_request(usage(50), 60)
    assert totals.next_request(100) == 100
    totals.history_replaced()
    assert totals.next_request(30) == 30


def test_without_a_count_of_the_provider_the_estimate_is_used() -> None:
    totals = TokenTotals()
    totals.note_request(usage(100), 60)
    totals.note_request(None, 80)
    assert totals.next_request(90) == 130


def test_a_new_history_counts_with_the_fixed_part_of_requests() -> None:
    totals = TokenTotals()
    totals.note_request(usage(100), 60)
    totals.note_overflow(90)
    totals.history_replaced()
    assert totals.next_request(10) == 50
    assert totals.window(None) is None
    totals.note_request(usage(70), 30)
    assert totals.next_request(35) == 75


def test_a_request_that_was_too_long_makes_the_window_smaller() -> None:
    totals = TokenTotals()
    assert totals.window(None) is None
    assert totals.window(1_000) == 1_000
    totals.note_overflow(500)
    assert totals.window(None) == 500
    assert totals.window(1_000) == 500
    assert totals.window(100) == 100


def test_the_journal_records_the_totals() -> None:
    totals = TokenTotals(TEN, 0.5)
    assert totals.entry().event == {
        "type": "token_count",
        "info": {"total_token_usage": TEN.model_dump(), "total_cost_usd": 0.5},
    }


def counted(*usages: TokenUsage | None, **more: Any) -> list[EventMsg]:
    """The reports about responses with this usage."""
    reported: list[EventMsg] = []

    async def emit(msg: EventMsg, order: EventOrder | None = None) -> None:
        del order
        reported.append(msg)

    async def main() -> None:
        reporter = Reporter(emit, TokenTotals(), **more)
        for one in usages:
            await reporter.count_tokens(one)

    anyio.run(main)
    return reported


def test_tokens_and_their_costs_add_up() -> None:
    left = LimitsLeft(tool_calls=3)
    prices = Prices(1_000_000, 2_000_000, None)
    _, second = counted(TEN, TEN, context_window=500, prices=prices, left=lambda: left)
    assert second == TokenCount(
        info=TokenUsageInfo(
            total_token_usage=TEN + TEN,
            last_token_usage=TEN,
            model_context_window=500,
            total_cost_usd=24.0,
        ),
        limits_left=left,
    )


def test_without_prices_there_are_no_costs() -> None:
    [only] = counted(TEN)
    assert isinstance(only, TokenCount)
    assert only.info is not None
    assert only.info.total_cost_usd is None
    assert only.limits_left is None


def test_a_response_without_usage_is_not_reported() -> None:
    assert counted(None) == []
    rate_limits = {"primary": {"used_percent": 50}}
    assert counted(None, rate_limits=rate_limits) == [TokenCount(info=None, rate_limits=rate_limits)]
