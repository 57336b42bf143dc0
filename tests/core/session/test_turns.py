"""What one turn asks, runs and records."""

from pathlib import Path

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import StreamBroken
from code_core.protocol.items import ToolCall
from code_core.protocol.ops import Interrupt
from code_core.session.manager import Parts
from code_core.store.entries import ItemEntry
from code_core.store.journal import MemoryJournal
from code_core.tools.tool import ToolContext, ToolOutput
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    converse,
    queued,
    scripted_config,
    scripted_conversation,
    text,
)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return scripted_config(tmp_path)


async def wait_for_ever(call: ToolCall, context: ToolContext) -> ToolOutput:
    del call, context
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("cut", range(1, 4))
def test_calls_of_a_broken_stream_run_once(config: Config, cut: int) -> None:
    whole = calls("work", "work")
    tool = ScriptedTool("work")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        assert tool.ran == ["c1", "c2"][: min(cut, 2)]

    model = ScriptedModel([*whole[:cut], StreamBroken("cut")], answer("bye"))
    converse(scripted_conversation(config, model, tool), script)


def test_a_stream_is_asked_for_again_as_often_as_allowed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_core.session.sampling.backoff", lambda _attempt: 0.0)

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "gave up after 2 attempts" in (await reading.ended()).message
        assert len(model.prompts) == 2
        assert [(event.attempt, event.max) for event in reading.of("stream_error")] == [(1, 1)]
        await reading.send(text("again"))
        assert (await reading.ended()).type == "task_complete"

    broken = [StreamBroken("cut")]
    model = ScriptedModel(broken, broken, broken, answer("bye"))
    converse(scripted_conversation(config, model), script)


def test_an_interrupt_is_told_to_the_model_once_and_the_queue_stays(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("first words"))
        await reading.until("token_count")
        await reading.send(queued("later"))
        await reading.send(Interrupt())
        await reading.ended()
        await reading.send(Interrupt())  # nothing runs: nothing happens
        await reading.send(text("last words"))
        await reading.ended()
        said = model.said()
        assert said.count("<turn_interrupted>") == 1
        assert (
            said.index("first words")
            < said.index("<turn_interrupted>")
            < said.index("later")
            < said.index("last words")
        )
        assert said.count("environment_context") == 2  # told once, with its closing tag

    model = ScriptedModel(calls("work"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work", wait_for_ever)), script)


def test_items_keep_their_order_and_ids_in_the_journal(config: Config) -> None:
    journal = MemoryJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go", id="mine"))
        await reading.ended()
        entries = [entry.payload for entry in journal.entries if isinstance(entry, ItemEntry)]
        ids = [payload["item_id"] for payload in entries]
        assert ids[1:4] == ["mine", "c1", "c1-output"]
        (message,) = reading.of("agent_message")
        assert ids[4] == message.item_id == reading.of("agent_message_delta")[0].item_id
        assert {payload["turn_id"] for payload in entries} == {reading.of("task_started")[0].turn_id}

    model = ScriptedModel(calls("work"), answer("bye", ordinal=2))
    converse(scripted_conversation(config, model, ScriptedTool("work"), parts=Parts(journal=journal)), script)
