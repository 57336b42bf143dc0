"""What one turn sends, runs and records."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import StreamBroken
from code_core.protocol.checkpoints import Steps
from code_core.protocol.items import ToolCall
from code_core.protocol.ops import Interrupt
from code_core.session.parts import Parts
from code_core.store.entries import Entry, EventEntry, ItemEntry
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
    scripted_conversation,
    text,
)


async def wait_for_ever(call: ToolCall, context: ToolContext) -> ToolOutput:
    del call, context
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("cut", range(1, 4))
def test_the_calls_of_a_broken_stream_run_once(config: Config, cut: int) -> None:
    whole = calls("work", "work")
    tool = ScriptedTool("work")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        assert tool.ran == ["c1", "c2"][: min(cut, 2)]

    model = ScriptedModel([*whole[:cut], StreamBroken("cut")], answer("bye"))
    converse(scripted_conversation(config, model, tool), script)


def test_a_stream_is_requested_again_as_often_as_allowed(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_core.session.turn.sampling.backoff", lambda _attempt: 0.0)

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


def test_a_request_has_the_instructions_the_tools_and_the_form_of_the_answer(config: Config) -> None:
    form = {"type": "object"}

    async def script(reading: Reading) -> None:
        await reading.send(text("go", output_schema=form))
        await reading.ended()
        (prompt,) = model.prompts
        assert prompt.conversation_id == reading.conversation.id
        assert prompt.settings.model == config.model
        assert "coding agent" in prompt.instructions
        assert [spec.name for spec in prompt.tools] == ["work"]
        assert prompt.output_schema == form

    model = ScriptedModel(answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work")), script)


def test_the_output_of_a_failed_call_is_recorded_as_failed(config: Config) -> None:
    async def work(call: ToolCall, context: ToolContext) -> ToolOutput:
        del context
        return ToolOutput("done", success=call.call_id == "c1")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        failed = {one.id: one.failed for one in reading.conversation.session.history.items}
        assert (failed["c1-output"], failed["c2-output"]) == (False, True)

    model = ScriptedModel(calls("work", "work"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work", work)), script)


def test_after_a_break_the_model_sees_what_it_had_finished(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert (await reading.ended()).type == "task_complete"
        assert "half of it" in model.request_text()

    broken = [*answer("half of it")[:-1], StreamBroken("cut", delay=0.0)]
    model = ScriptedModel(broken, answer("the other half", ordinal=2))
    converse(scripted_conversation(config, model), script)


def test_the_model_learns_about_an_interrupt_once_and_the_queue_stays(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("first words"))
        await reading.until("token_count")
        await reading.send(queued("later"))
        await reading.send(Interrupt())
        await reading.ended()
        await reading.send(Interrupt())  # nothing runs: nothing happens
        await reading.send(text("last words"))
        await reading.ended()
        sent = model.request_text()
        assert sent.count("<turn_interrupted>") == 1
        assert (
            sent.index("first words")
            < sent.index("<turn_interrupted>")
            < sent.index("later")
            < sent.index("last words")
        )
        assert sent.count("environment_context") == 2  # sent once, with its closing tag

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


class NotingJournal(MemoryJournal):
    """Records which entries were appended together."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[str]] = []

    async def append(self, *entries: Entry) -> None:
        await super().append(*entries)
        self.writes.append([entry.name if isinstance(entry, EventEntry) else entry.TYPE for entry in entries])


def test_related_entries_are_recorded_in_one_write(config: Config) -> None:
    journal = NotingJournal()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()

    model = ScriptedModel(answer("bye"))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)
    assert journal.writes == [
        ["input_queued"],
        ["task_started"],
        ["turn_context", "response_item"],
        ["response_item", "user_message"],
        ["response_item", "agent_message"],
        ["token_count", "task_complete"],
    ]


class SlowJournal(MemoryJournal):
    """Records first, and answers late."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = anyio.Event()
        self.answers.set()

    async def append(self, *entries: Entry) -> None:
        await super().append(*entries)
        await self.answers.wait()


def test_recorded_entries_are_not_recorded_again(config: Config) -> None:
    journal = SlowJournal()

    async def work(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        journal.answers = anyio.Event()
        return ToolOutput("done")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("token_count")
        await anyio.wait_all_tasks_blocked()
        await reading.send(Interrupt())
        await anyio.wait_all_tasks_blocked()
        journal.answers.set()
        await reading.ended()
        ids = [entry.payload["item_id"] for entry in journal.entries if isinstance(entry, ItemEntry)]
        assert ids.count("c1-output") == 1
        assert len(set(ids)) == len(ids)

    tool = ScriptedTool("work", work)
    model = ScriptedModel(calls("work"))
    converse(scripted_conversation(config, model, tool, parts=Parts(journal=journal)), script)


class SlowCheckpoints:
    """Takes a while to end a turn. See `Checkpoints`."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        pass

    async def before_command(self, turn_id: str) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        del turn_id, paths

    async def end_turn(self, turn_id: str) -> None:
        await anyio.sleep(0.01)
        self.ended.append(turn_id)

    async def steps(self) -> Steps:
        return Steps(0, 0)

    async def undo(self) -> None:
        return None

    async def redo(self) -> None:
        return None


def test_a_frontend_that_leaves_does_not_cut_the_end_of_a_task_short(config: Config) -> None:
    checkpoints, started = SlowCheckpoints(), list[str]()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        started.append((await reading.until("task_started")).turn_id)
        await reading.until("token_count")

    tool = ScriptedTool("work", wait_for_ever)
    parts = Parts(checkpoints=checkpoints)
    converse(scripted_conversation(config, ScriptedModel(calls("work")), tool, parts=parts), script)
    assert checkpoints.ended == started
