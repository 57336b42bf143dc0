"""What ends a turn before the model has answered: limits, loops, and a user's abort."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.config.schema.commands import LimitsTable
from code_core.errors import TurnError
from code_core.model.catalog import Prices
from code_core.protocol.items import ToolCall
from code_core.protocol.token_events import LimitsLeft, TokenUsage
from code_core.session.history.sizes import estimated_tokens
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.session.turn.clock import TurnClock
from code_core.session.turn.limits import TurnLimits
from code_core.session.turn.reporter import TokenTotals
from code_core.store.journal import MemoryJournal
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from code_core.wire.response_events import Completed
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    Step,
    answer,
    calls,
    converse,
    scripted_config,
    scripted_conversation,
    text,
)


def ends(
    config: Config, scripts: Sequence[Sequence[Step]], *tools: ScriptedTool, turns: int = 1
) -> list[tuple[str, str | None]]:
    """How turns end: the kinds of events, and error messages."""
    found: list[tuple[str, str | None]] = []

    async def script(reading: Reading) -> None:
        for _ in range(turns):
            await reading.send(text("go"))
            end: Any = await reading.ended()
            found.append((end.type, getattr(end, "message", None)))

    converse(scripted_conversation(config, ScriptedModel(*scripts), *tools), script)
    return found


def test_as_many_calls_as_allowed_run_and_not_one_more(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("limits.max_tool_calls", 3),))
    within = [calls("work", "work"), calls("work", first=3), answer("bye")]
    beyond = [calls("work", "work", first=4), calls("work", "work", first=6)]
    tool = ScriptedTool("work")
    first, second = ends(config, [*within, *beyond], tool, turns=2)
    assert first == ("task_complete", None)
    assert second == ("error", "stopped after 3 tool calls (max_tool_calls)")
    assert tool.ran == ["c1", "c2", "c3", "c4", "c5"]


def test_the_tokens_of_earlier_turns_do_not_count(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("limits.max_total_tokens", 15),))
    turn = [calls("work"), answer("bye")]
    again = [calls("work", first=2), answer("bye")]
    too_much = [calls("work", first=3), calls("work", first=4)]
    assert ends(config, [*turn, *again, *too_much], ScriptedTool("work"), turns=3) == [
        ("task_complete", None),
        ("task_complete", None),
        ("error", "stopped after 30 tokens (max_total_tokens is 15)"),
    ]


def test_a_model_that_loops_is_stopped(config: Config) -> None:
    async def same(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        return ToolOutput("same")

    tool = ScriptedTool("work", same)
    [(kind, message)] = ends(config, [calls("work", first=number) for number in range(1, 7)], tool)
    assert kind == "error"
    assert message is not None
    assert "same call with the same result 5 times" in message
    assert len(tool.ran) == 5


def test_a_user_who_aborts_ends_the_other_calls_of_the_batch(config: Config) -> None:
    waiting = anyio.Event()

    async def wait(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        waiting.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def abort(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        await waiting.wait()
        raise TurnAbandoned

    tools = (
        ScriptedTool("wait", wait, parallel_safe=True),
        ScriptedTool("abort", abort, parallel_safe=True),
    )
    assert ends(config, [calls("wait", "abort")], *tools) == [("turn_aborted", None)]


@pytest.mark.parametrize("end", ["", "and then"])
def test_the_last_message_of_the_turn_is_its_answer(config: Config, end: str) -> None:
    seen: list[str | None] = []

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        seen.append((await reading.ended()).last_agent_message)

    scripts = [[*answer("first")[:2], *calls("work")], answer("last") if end else calls()]
    converse(scripted_conversation(config, ScriptedModel(*scripts), ScriptedTool("work")), script)
    assert seen == ["last" if end else "first"]


PRICED = (("models.m.prices", {"input": 1_000, "output": 10_000, "cached_input": 100}),)


def test_a_turn_stops_when_its_costs_are_over_the_limit(tmp_path: Path) -> None:
    # A response here has 10 tokens of input and 5 of output: 0.01 + 0.05 dollars.
    settings = (*PRICED, ("limits.max_cost_usd", 0.12))
    config = scripted_config(tmp_path, model="m", settings=settings)
    within = [calls("work"), calls("work", first=2), answer("bye")]
    beyond = [calls("work", first=3), calls("work", first=4), calls("work", first=5)]
    tool = ScriptedTool("work")
    assert ends(config, [*within, *beyond], tool, turns=2) == [
        ("task_complete", None),
        ("error", "stopped after 0.1800 US dollars (max_cost_usd is 0.12)"),
    ]
    assert tool.ran == ["c1", "c2", "c3", "c4"]


@pytest.mark.parametrize("usage", [None, TokenUsage()])
@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_total_tokens": 6_000}, r"stopped after \d{4} tokens \(max_total_tokens is 6000\)"),
        ({"max_cost_usd": 6.0}, r"stopped after \d\.\d{4} US dollars \(max_cost_usd is 6\)"),
    ],
)
def test_a_provider_that_reports_no_usage_is_held_to_the_limits_too(
    tmp_path: Path, usage: TokenUsage | None, limit: dict[str, float], message: str
) -> None:
    # Each request has at least 1,000 tokens of instructions, for a dollar.
    config = scripted_config(
        tmp_path, model="m", base_instructions="i" * 4_000, settings=(*PRICED, ("limits", limit))
    )
    scripts = [[*calls("work", first=number)[:1], Completed("r", usage)] for number in range(1, 10)]
    tool = ScriptedTool("work")
    [(kind, reported)] = ends(config, scripts, tool)
    assert kind == "error"
    assert re.fullmatch(message, reported or "")
    assert 2 <= len(tool.ran) <= 5


@pytest.mark.parametrize(
    ("usage", "counts"), [(None, True), (TokenUsage(), True), (TokenUsage(total_tokens=1), False)]
)
def test_an_estimate_counts_the_instructions_the_history_and_the_answer_unless_usage_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: TokenUsage | None, counts: bool
) -> None:
    counted: list[tuple[int, int]] = []
    sizes: list[tuple[int, int]] = []

    def add(limits: TurnLimits, read: int, written: int) -> None:
        del limits
        counted.append((read, written))

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        *before, last = reading.conversation.session.history.model_items()
        sizes.append((1_000 + estimated_tokens(before), estimated_tokens([last])))

    monkeypatch.setattr(TurnLimits, "add_unreported", add)
    config = scripted_config(tmp_path, model="m", base_instructions="i" * 4_000)
    converse(
        scripted_conversation(config, ScriptedModel([*answer("bye")[:-1], Completed("r", usage)])), script
    )
    assert counted == (sizes if counts else [])


def test_estimates_add_up_and_have_prices() -> None:
    limits = TurnLimits(LimitsTable(max_total_tokens=1_000, max_cost_usd=1.0), TurnClock(None), TokenTotals())
    limits.check_prices("m", Prices(1_000, 10_000))
    for _ in range(2):
        limits.add_unreported(100, 20)
    assert limits.left() == LimitsLeft(total_tokens=760, cost_usd=0.4)


def test_a_cost_limit_needs_prices(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, model="m", settings=(("limits.max_cost_usd", 1.0),))
    model = ScriptedModel(answer("bye"))
    found: list[str] = []

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        found.append((await reading.ended()).message)

    converse(scripted_conversation(config, model), script)
    assert found == [
        'max_cost_usd is set, but the price of m is unknown: set prices for it, [models."m".prices], or unset the limit'
    ]
    assert model.prompts == []


def test_the_remaining_limits_are_reported_with_the_tokens(tmp_path: Path) -> None:
    limits = {"max_tool_calls": 3, "max_total_tokens": 100, "max_cost_usd": 1.0, "max_wall_seconds": 600}
    config = scripted_config(tmp_path, model="m", settings=(*PRICED, ("limits", limits)))
    counts: list[Any] = []

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        counts.extend(reading.of("token_count"))

    converse(
        scripted_conversation(config, ScriptedModel(calls("work"), answer("bye")), ScriptedTool("work")),
        script,
    )
    first, second = (count.limits_left for count in counts)
    assert (first.tool_calls, first.total_tokens, first.cost_usd) == (3, 85, 0.94)
    assert (second.tool_calls, second.total_tokens, second.cost_usd) == (2, 70, 0.88)
    assert 590 < second.wall_seconds <= first.wall_seconds <= 600
    assert counts[-1].info.total_cost_usd == pytest.approx(0.12)


def test_without_limits_no_remaining_limits_are_reported(tmp_path: Path) -> None:
    counts: list[Any] = []

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        counts.extend(reading.of("token_count"))

    converse(
        scripted_conversation(scripted_config(tmp_path, model="m"), ScriptedModel(answer("bye"))), script
    )
    assert [(count.limits_left, count.info.total_cost_usd) for count in counts] == [(None, None)]


def test_cached_input_has_a_price_of_its_own() -> None:
    usage = TokenUsage(input_tokens=3_000_000, cached_input_tokens=1_000_000, output_tokens=500_000)
    assert Prices(2, 8, 0.5).of(usage) == 4 + 0.5 + 4
    assert Prices(2, 8).of(usage) == 6 + 4


def test_the_costs_continue_after_a_resume(tmp_path: Path) -> None:
    journal = MemoryJournal()
    config = scripted_config(tmp_path, model="m", settings=PRICED)

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()

    converse(scripted_conversation(config, ScriptedModel(answer("a")), parts=Parts(journal=journal)), script)
    state = SessionState.from_entries(journal.entries)
    assert state.cost_usd == pytest.approx(0.06)
    again = scripted_conversation(config, ScriptedModel(answer("b")), state=state)
    converse(again, script)
    assert again.session.totals.cost_usd == pytest.approx(0.12)


def test_the_remaining_limits_are_rounded_and_never_negative() -> None:
    totals = TokenTotals()
    table = LimitsTable(max_tool_calls=1, max_total_tokens=10, max_cost_usd=1.0)
    limits = TurnLimits(table, TurnClock(1.26), totals)
    totals.cost_usd = 0.123456789
    totals.total = TokenUsage(total_tokens=10)
    limits.add_calls(1)
    left = LimitsLeft(tool_calls=0, wall_seconds=1.3, total_tokens=0, cost_usd=0.876543)
    assert limits.left() == left
    totals.cost_usd = 2.0
    totals.total = TokenUsage(total_tokens=11)
    with pytest.raises(TurnError, match="stopped after 1 tool calls"):
        limits.add_calls(1)
    assert limits.left() == LimitsLeft(tool_calls=0, wall_seconds=1.3, total_tokens=0, cost_usd=0.0)
