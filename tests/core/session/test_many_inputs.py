"""More input than a turn can take at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.ops import EditQueuedInput, Op, QueueUserInput, TextInput, UserInput
from code_core.session import input_queue
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    converse,
    queued,
    scripted_conversation,
    text,
)

INPUTS = 1_000


def test_a_thousand_queued_inputs_reach_the_model_once_and_in_order(config: Config) -> None:
    go = anyio.Event()

    async def work(call: Any, context: ToolContext) -> ToolOutput:
        del call, context
        await go.wait()
        return ToolOutput("done")

    async def script(reading: Reading) -> None:
        await reading.send(text("start"))
        await reading.until("token_count")
        for number in range(INPUTS):
            await reading.send(queued(f"input {number}.", id=str(number)))
        while len((await reading.until("queue_changed")).entries) < INPUTS:
            pass
        go.set()
        assert (await reading.ended()).type == "task_complete"
        assert [message.id for message in reading.of("user_message")][1:] == [
            str(one) for one in range(INPUTS)
        ]

    model = ScriptedModel(calls("work"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work", work)), script)
    sent = model.request_text()
    assert len(sent) > INPUTS
    positions = [sent.index(f"input {number}.") for number in range(INPUTS)]
    assert positions == sorted(positions)
    assert all(sent.count(f"input {number}.") == 1 for number in range(INPUTS))


@pytest.mark.parametrize("make", [UserInput, QueueUserInput, partial(EditQueuedInput, id="q")])
def test_an_input_that_no_provider_takes_is_refused_and_the_session_goes_on(
    config: Config, make: Callable[..., Op], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(input_queue, "MOST_CHARACTERS", 10)

    async def script(reading: Reading) -> None:
        await reading.send(make(items=[TextInput(text="x" * 5), TextInput(text="x" * 6)]))
        error = await reading.until("error")
        assert error.code == "input_too_large"
        problem = "the input has 11 characters, more than 10: put it in a file and name the file"
        assert error.message == problem
        await reading.send(text("x" * 10))
        assert (await reading.until("task_complete")).last_agent_message == "ok"

    converse(scripted_conversation(config, ScriptedModel(answer("ok"))), script)
