"""What ends a turn before the model has answered: limits, circles, and a user who has had enough."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.items import ToolCall
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
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
    """How turns end: kinds of events, and the messages of errors."""
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


def test_a_model_that_goes_in_circles_is_stopped(config: Config) -> None:
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
