"""What a turn takes from its session, and what it reports in addition to the model's answer."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import mcp_types
import pytest

from code_core.config.load import Config
from code_core.context.user_input import user_message
from code_core.model import served
from code_core.model.providers import Provider
from code_core.protocol.items import (
    CustomToolCall,
    FunctionCall,
    Message,
    Reasoning,
    SummaryText,
    ToolCall,
)
from code_core.protocol.ops import (
    ImageInput,
    InputItem,
    LocalImageInput,
    ResolveElicitation,
    TextInput,
    UserInput,
)
from code_core.session.history.history import HistoryItem
from code_core.session.stored.restore import SessionState
from code_core.session.tasks import turn
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.response_events import ItemDone, ReasoningTextDelta
from code_core.wire.tool_specs import FunctionSpec
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    answer,
    calls,
    completed,
    converse,
    event_order,
    scripted_config,
    scripted_conversation,
    text,
)
from core.session.stand_ins import Servers, with_parts

FORM = mcp_types.ElicitRequestFormParams.model_validate(
    {"message": "m", "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}}}
)


async def one_turn(reading: Reading) -> None:
    await reading.send(text("go"))
    assert (await reading.ended()).type == "task_complete"


def test_a_server_may_ask_while_a_turn_runs_and_not_after_it(config: Config) -> None:
    async def ask(call: ToolCall, context: ToolContext) -> ToolOutput:
        del call, context
        result = await conversation.session.elicitations.ask("files", FORM)
        return ToolOutput(f"the answer was {result.action}")

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        request = await reading.until("elicitation_request")
        await reading.send(ResolveElicitation(id=request.id, action="accept", content={"name": "x"}))
        await reading.ended()
        assert "the answer was accept" in model.request_text()
        after = await conversation.session.elicitations.ask("files", FORM)
        assert after.action == "decline"  # there is nobody to ask

    model = ScriptedModel(calls("work"), answer("ok"))
    conversation = scripted_conversation(config, model, ScriptedTool("work", ask))
    converse(conversation, script)


def test_the_window_comes_from_the_local_server(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def served_window(provider: Provider, model: str, environ: Mapping[str, str]) -> int | None:
        assert (provider, model) == (config.provider, config.model)
        assert "PATH" in environ
        return 5_000

    async def script(reading: Reading) -> None:
        await one_turn(reading)
        assert reading.of("token_count")[0].info.model_context_window == 5_000

    monkeypatch.setattr(served, "served_window", served_window)
    config = replace(config, provider=replace(config.provider, server="ollama"))
    converse(scripted_conversation(config, ScriptedModel(answer("ok"))), script)


def test_saved_file_versions_are_removed_after_the_turn(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await one_turn(reading)
        assert (config.cwd / "file").read_text() == "new\n"
        assert "+new" in reading.of("turn_diff")[0].unified_diff
        kept = config.home.path / "outputs" / reading.conversation.id / "turn"
        assert not kept.exists()

    patch = "*** Begin Patch\n*** Add File: file\n+new\n*** End Patch"
    call = CustomToolCall(name="apply_patch", input=patch, call_id="c1")
    model = ScriptedModel([ItemDone(call, event_order()), completed()], answer("ok"))
    converse(scripted_conversation(config, model), script)


class LongTool(ScriptedTool):
    """A tool whose declaration uses much of the window."""

    def spec(self) -> FunctionSpec:
        return FunctionSpec(self.name, "x" * 4_000, {"type": "object"})


def declared(model: ScriptedModel, request: int = 0) -> list[str]:
    return [spec.name for spec in model.prompts[request].tools]


def test_tools_of_servers_are_declared_with_ours(config: Config) -> None:
    model = ScriptedModel(answer("ok"))
    servers = Servers(ScriptedTool("files__move"))
    conversation = scripted_conversation(config, model, ScriptedTool("work"))
    converse(with_parts(conversation, servers=servers), one_turn)
    assert declared(model) == ["work", "files__move"]


def test_a_window_of_unknown_size_has_room_for_some_tools(config: Config) -> None:
    model = ScriptedModel(answer("ok"))
    conversation = scripted_conversation(replace(config, model="unknown"), model, ScriptedTool("work"))
    converse(with_parts(conversation, servers=Servers(LongTool("files__move"))), one_turn)
    assert declared(model) == ["work", "files__move"]


def many(folder: Path) -> Config:
    """Settings with which one long tool is too much."""
    return scripted_config(folder, settings=(("mcp_tools_share", 0.001),))


def test_too_many_tools_of_servers_are_searched(tmp_path: Path) -> None:
    search = FunctionCall(name="search_tools", arguments='{"query": "move"}', call_id="c1")
    model = ScriptedModel([ItemDone(search, event_order()), completed()], answer("ok"), answer("ok"))
    servers = Servers(LongTool("files__move"))
    conversation = scripted_conversation(many(tmp_path), model, ScriptedTool("work"))

    async def script(reading: Reading) -> None:
        await one_turn(reading)
        await one_turn(reading)  # what was found stays found

    converse(with_parts(conversation, servers=servers), script)
    assert declared(model) == ["work", "search_tools"]
    assert declared(model, 1) == declared(model, 2) == ["work", "search_tools", "files__move"]


def test_tools_that_a_resumed_session_has_called_are_declared(tmp_path: Path) -> None:
    called = FunctionCall(name="files__move", arguments="{}", call_id="c0")
    state = SessionState(items=(HistoryItem("c0", called),))
    model = ScriptedModel(answer("ok"))
    servers = Servers(LongTool("files__move"), LongTool("files__copy"))
    conversation = scripted_conversation(many(tmp_path), model, ScriptedTool("work"), state=state)
    converse(with_parts(conversation, servers=servers), one_turn)
    assert declared(model) == ["work", "search_tools", "files__move"]


@pytest.mark.parametrize(
    ("setting", "kinds"),
    [
        (None, {"agent_reasoning"}),
        ("hide_agent_reasoning", set()),
        ("show_raw_agent_reasoning", {"agent_reasoning", "agent_reasoning_raw_content_delta"}),
    ],
)
def test_the_settings_determine_how_much_reasoning_is_shown(
    tmp_path: Path, setting: str | None, kinds: set[str]
) -> None:
    async def script(reading: Reading) -> None:
        await one_turn(reading)
        assert {kind for kind in reading.kinds if "reasoning" in kind} == kinds

    config = scripted_config(tmp_path, settings=((setting, True),) if setting else ())
    thought = Reasoning(id="r", summary=[SummaryText(text="hm")], encrypted_content="x")
    steps = [ReasoningTextDelta("raw", event_order()), ItemDone(thought, event_order()), *answer("ok")]
    converse(scripted_conversation(config, ScriptedModel(steps)), script)


def test_project_instructions_that_cannot_be_used_are_a_warning(config: Config) -> None:
    (config.cwd / "AGENTS.md").symlink_to("/dev/null/nothing")

    async def script(reading: Reading) -> None:
        await one_turn(reading)
        (warning,) = reading.of("warning")
        assert "AGENTS.md" in warning.message

    converse(scripted_conversation(config, ScriptedModel(answer("ok"))), script)


def test_an_image_that_cannot_be_read_is_a_warning_and_a_note_for_the_model(config: Config) -> None:
    async def script(reading: Reading) -> None:
        image = LocalImageInput(path=Path("missing.png"))
        await reading.send(UserInput(items=[TextInput(text="look"), image]))
        assert (await reading.ended()).type == "task_complete"
        (warning,) = reading.of("warning")
        assert "missing.png" in warning.message
        assert "missing.png" in model.request_text()

    model = ScriptedModel(answer("ok"))
    converse(scripted_conversation(config, model), script)


@pytest.mark.parametrize(
    ("more", "in_loop"),
    [((), True), ((ImageInput(image_url="x"),), False), ((LocalImageInput(path=Path("x")),), False)],
)
def test_only_images_are_read_in_a_thread(
    config: Config, monkeypatch: pytest.MonkeyPatch, more: tuple[InputItem, ...], in_loop: bool
) -> None:
    threads = []

    def read(items: Sequence[InputItem], cwd: Path) -> tuple[Message, list[str]]:
        threads.append(threading.current_thread())
        return user_message(items, cwd)

    async def script(reading: Reading) -> None:
        await reading.send(UserInput(items=[TextInput(text="look"), *more]))
        assert (await reading.ended()).type == "task_complete"

    monkeypatch.setattr(turn, "user_message", read)
    converse(scripted_conversation(config, ScriptedModel(answer("ok"))), script)
    assert [thread is threading.current_thread() for thread in threads] == [in_loop]


def test_a_turn_ends_when_its_time_is_over(tmp_path: Path) -> None:
    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "0.1 seconds" in (await reading.ended()).message

    config = scripted_config(tmp_path, settings=(("limits.max_wall_seconds", 0.1),))
    converse(scripted_conversation(config, ScriptedModel([anyio.Event()])), script)


def test_the_first_input_is_the_preview(config: Config) -> None:
    async def script(reading: Reading) -> None:
        await one_turn(reading)
        await reading.send(text("more"))
        await reading.ended()
        snapshot: Any = await anext(reading.conversation.follow())
        assert snapshot.msg.preview == "go"

    converse(scripted_conversation(config, ScriptedModel(answer("ok"), answer("ok"))), script)
