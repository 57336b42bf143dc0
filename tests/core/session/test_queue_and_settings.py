"""The queue and the settings, between and within turns."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.protocol.ops import (
    Compact,
    EditQueuedInput,
    OverrideTurnContext,
    RemoveQueuedInput,
    TextInput,
)
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire import chat, responses
from code_core.wire.prompt import Prompt
from code_core.wire.request_json import encoded
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


def test_queued_input_can_be_edited_and_removed_until_the_model_gets_it(config: Config) -> None:
    go = anyio.Event()

    async def work(call: Any, context: ToolContext) -> ToolOutput:
        del call, context
        await go.wait()
        return ToolOutput("done")

    async def script(reading: Reading) -> None:
        await reading.send(text("start"))
        await reading.until("token_count")
        for name in "abc":
            await reading.send(queued(f"input {name}", id=name))
        await reading.send(EditQueuedInput(id="a", items=[TextInput(text="edited")]))
        await reading.send(RemoveQueuedInput(id="b"))
        await reading.send(RemoveQueuedInput(id="b"))
        assert "has the id 'b'" in (await reading.until("warning")).message
        assert [[entry.id for entry in event.entries] for event in reading.of("queue_changed")] == [
            [],
            ["a"],
            ["a", "b"],
            ["a", "b", "c"],
            ["a", "b", "c"],
            ["a", "c"],
        ]
        go.set()
        assert (await reading.ended()).type == "task_complete"
        assert [message.id for message in reading.of("user_message")][1:] == ["a", "c"]
        input_text = model.request_text()
        assert input_text.index("edited") < input_text.index("input c")
        assert "input b" not in input_text
        assert reading.of("queue_changed")[-1].entries == []
        await reading.send(EditQueuedInput(id="a", items=[]))
        assert "has the id 'a'" in (await reading.until("warning")).message

    model = ScriptedModel(calls("work"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work", work)), script)


def test_late_input_starts_a_turn_with_its_own_id(config: Config) -> None:
    sent, last = anyio.Event(), anyio.Event()

    async def script(reading: Reading) -> None:
        first = await reading.send(text("start"))
        await reading.until("agent_message")
        second = await reading.send(queued("late"))
        await anyio.wait_all_tasks_blocked()
        sent.set()
        last.set()
        await reading.ended()
        await reading.ended()
        ends = [event.id for event in reading.seen if event.msg.type == "task_complete"]
        assert ends == [first, second]
        assert len({message.turn_id for message in reading.of("task_started")}) == 2

    whole = answer("hello")
    model = ScriptedModel([*whole[:-1], sent, whole[-1]], answer("bye"))
    converse(scripted_conversation(config, model), script)


def test_the_schema_belongs_to_the_input_and_not_to_the_session(config: Config) -> None:
    schema = {"type": "object"}

    async def script(reading: Reading) -> None:
        await reading.send(text("as JSON", output_schema=schema))
        await reading.ended()
        await reading.send(text("freely"))
        await reading.ended()
        assert [prompt.output_schema for prompt in model.prompts] == [schema, schema, None]

    model = ScriptedModel(calls("work"), answer("{}"), answer("bye"))
    converse(scripted_conversation(config, model, ScriptedTool("work")), script)


def test_another_directory_has_its_own_project_instructions(config: Config, tmp_path: Path) -> None:
    other, bare = tmp_path / "other", tmp_path / "bare"
    other.mkdir()
    bare.mkdir()
    (config.cwd / "AGENTS.md").write_text("Use tabs.")
    (other / "AGENTS.md").write_text("Use spaces.")

    async def script(reading: Reading) -> None:
        for directory in (None, None, other, bare, bare):
            if directory is not None:
                await reading.send(OverrideTurnContext(cwd=directory))
                assert (await reading.until("settings_changed")).cwd == directory
            await reading.send(text("go"))
            await reading.ended()
        input_text = [model.request_text(request) for request in range(5)]
        assert [one.count("Use tabs.") for one in input_text] == [1, 1, 1, 1, 1]
        assert [one.count("Use spaces.") for one in input_text] == [0, 0, 1, 1, 1]
        assert [one.count("do not apply here") for one in input_text] == [0, 0, 0, 1, 1]
        assert [one.count("</environment_context>") for one in input_text] == [1, 1, 2, 3, 3]

    model = ScriptedModel(*(answer("bye") for _ in range(5)))
    converse(scripted_conversation(config, model), script)


def test_model_dependent_settings_change_with_the_model(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()
        await reading.send(OverrideTurnContext(model="gpt-4.1"))
        assert (await reading.until("settings_changed")).model == "gpt-4.1"
        await reading.send(text("go"))
        await reading.ended()
        first, second = model.prompts
        assert [prompt.settings.freeform_tools for prompt in (first, second)] == [True, False]
        assert (first.settings.reasoning, second.settings.reasoning) == (True, False)
        assert [event.model_context_window for event in reading.of("task_started")] == [272_000, 1_047_576]

    model = ScriptedModel(answer("bye"), answer("bye"))
    converse(scripted_conversation(config, model), script)


@pytest.mark.parametrize("wire", ["responses", "chat"])
def test_every_request_begins_with_the_previous_one(config: Config, wire: str) -> None:
    def body(prompt: Prompt) -> bytes:
        if wire == "chat":
            return encoded(chat.request_body(prompt, "p/m"))
        return encoded(responses.request_body(prompt, "p"))

    async def script(reading: Reading) -> None:
        for words in ("one", "two"):
            await reading.send(text(words))
            await reading.ended()
        bodies = [body(prompt) for prompt in model.prompts]
        for before, after in pairwise(bodies):
            end = before.index(b'],"stream"' if wire == "chat" else b'],"tools"')
            assert after.startswith(before[:end])

    model = ScriptedModel(calls("work"), answer("a"), calls("work", first=2), answer("b"))
    converse(scripted_conversation(config, model, ScriptedTool("work")), script)


def test_only_one_task_runs_at_a_time(config: Config) -> None:
    gate = anyio.Event()

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.until("user_message")
        compact = await reading.send(Compact())
        refusal = await reading.until("error")
        assert refusal.message == "cannot start compact while turn runs: wait for it to end or interrupt it"
        assert refusal.code == "busy"
        assert reading.seen[-1].id == compact
        gate.set()
        assert (await reading.ended()).type == "task_complete"

    converse(scripted_conversation(config, ScriptedModel([gate, *answer("bye")])), script)
