"""How the parts of a session are created from the settings, and which a frontend can replace."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types
import pytest

from code_core.config.load import Config
from code_core.config.schema.commands import ToolsTable
from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.files.texts import TextFileSystem
from code_core.model import http, record
from code_core.model.chat import ChatWire
from code_core.model.replay import ReplayClient
from code_core.model.responses import ResponsesWire
from code_core.patch.filesystem import MemoryFileSystem
from code_core.protocol.items import InputText, Message
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import OverrideTurnContext, ResolveElicitation, TextInput
from code_core.protocol.token_events import TokenUsage
from code_core.session import parts as module
from code_core.session.history.history import HistoryItem
from code_core.session.input_queue import QueuedInput
from code_core.session.parts import Parts, make_client, make_session, make_tools
from code_core.session.questions.permission_tool import PermissionTool
from code_core.session.servers.tool_texts import ToolTexts
from code_core.session.stored.restore import SessionState
from code_core.session.turn.clock import TurnClock
from code_core.store.entries import EventEntry
from code_core.store.journal import MemoryJournal
from code_core.tools.apply_patch import ApplyPatch
from code_core.wire.tool_specs import FreeformSpec, WebSearchSpec
from core.session.scripted import ScriptedModel, scripted_config
from support.scenario import write_scenario

SERVERS = {"ide": McpServerTable(command="ide")}


def tool(name: str) -> ClientToolTable:
    return ClientToolTable(mcp_server="ide", tool_name=name)


class Servers:
    """Records its arguments. See `ConversationServers`."""

    last: "Servers"

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.arguments, self.more = arguments, more
        Servers.last = self


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> type[Servers]:
    monkeypatch.setattr(module, "ConversationServers", Servers)
    return Servers


def test_servers_belong_to_the_conversation_and_hide_the_agents_own_tools(
    config: Config, servers: type[Servers]
) -> None:
    config = replace(
        config,
        mcp_servers=SERVERS,
        permission_tool=tool("permit"),
        read_tool=tool("read"),
        write_tool=tool("write"),
    )
    session = make_session(config, ScriptedModel(), Parts(opens_urls=True))
    tables, cwd, home, policy, _, hidden = servers.last.arguments
    assert (tables, cwd, home, policy) == (SERVERS, config.cwd, config.home.path, config.sandbox_policy)
    assert hidden == [tool("permit"), tool("read"), tool("write")]
    assert servers.last.more["opens_urls"] is True
    assert servers.last.more["completed"] == session.elicitations.completed
    make_session(replace(config, permission_tool=None, write_tool=None), ScriptedModel())
    assert servers.last.arguments[-1] == [tool("read")]
    assert servers.last.more["opens_urls"] is False


FORM = mcp_types.ElicitRequestFormParams(
    message="Who?", requested_schema={"type": "object", "properties": {}}
)
PAGE = mcp_types.ElicitRequestURLParams(message="Log in", url="https://ide.example/", elicitation_id="p")


@pytest.mark.parametrize(
    ("params", "opens_urls", "action"),
    [(FORM, False, "accept"), (PAGE, True, "accept"), (PAGE, False, "decline")],
)
def test_a_servers_question_goes_to_the_user_and_pauses_the_turns_clock(
    config: Config, servers: type[Servers], params: Any, opens_urls: bool, action: str
) -> None:
    session = make_session(config, ScriptedModel(), Parts(opens_urls=opens_urls))
    elicit = servers.last.arguments[4]

    async def emit(msg: object) -> None:
        if isinstance(msg, ElicitationRequest):
            assert msg.server == "ide"
            await anyio.sleep(0.1)
            session.elicitations.answer(ResolveElicitation(id=msg.id, action="accept"))

    async def main() -> None:
        session.elicitations.begin(emit)
        session.clock = TurnClock(0.05)
        with anyio.fail_after(5), session.clock.running():
            assert (await elicit("ide", params)).action == action

    anyio.run(main)


def test_the_permission_tool_is_asked_on_behalf_of_the_session(
    config: Config, servers: type[Servers]
) -> None:
    made = make_session(config, ScriptedModel())
    assert made.approvals.rules_file == config.home.path / "rules" / "always-allowed.toml"
    assert vars(made.approvals)["_tool"] is None
    made = make_session(
        replace(config, permission_tool=tool("permit")), ScriptedModel(), Parts(session_id="s")
    )
    asks = vars(made.approvals)["_tool"]
    assert isinstance(asks, PermissionTool)
    assert {**vars(asks)} == {"_conversation_id": "s", "_servers": servers.last, "_tool": tool("permit")}


def patches(session: Any) -> Any:
    """The texts that the session's patches read and write; None for the disk."""
    found = vars(session.services.tools)["_tools"]["apply_patch"]
    assert isinstance(found, ApplyPatch)
    return vars(found)["_file_system"]


@pytest.mark.parametrize(("read", "write"), [(True, True), (True, False), (False, True)])
def test_files_go_through_the_tools_of_an_editor(
    config: Config, servers: type[Servers], read: bool, write: bool
) -> None:
    read_tool, write_tool = tool("read") if read else None, tool("write") if write else None
    config = replace(config, read_tool=read_tool, write_tool=write_tool)
    files = patches(make_session(config, ScriptedModel(), Parts(session_id="s")))
    assert isinstance(files, TextFileSystem)
    tools = vars(files)["_texts"]
    assert isinstance(tools, ToolTexts)
    parts = vars(tools)
    assert (parts["_conversation_id"], parts["_servers"]) == ("s", servers.last)
    assert (parts["_read_tool"], parts["_write_tool"]) == (read_tool, write_tool)
    ours = MemoryFileSystem({})
    assert patches(make_session(config, ScriptedModel(), Parts(file_system=ours))) is ours


def test_without_an_editor_files_are_on_disk(config: Config) -> None:
    assert patches(make_session(config, ScriptedModel())) is None


def test_a_session_begins_with_its_state(config: Config) -> None:
    words = HistoryItem("i", Message(role="user", content=[InputText(text="hello")]))
    shown = HistoryItem(
        "e", Message(role="user", content=[InputText(text="<environment_context>x</environment_context>")])
    )
    state = SessionState(
        items=(shown, words),
        settings=OverrideTurnContext(model="gpt-4.1"),
        queue=(QueuedInput(id="q", submission="1", items=(TextInput(text="wait"),), output_schema=None),),
        name="mine",
        preview="hello",
        usage=TokenUsage(total_tokens=7),
        cost_usd=0.5,
        notes=("odd",),
    )
    journal, client, checkpoints = MemoryJournal(), ScriptedModel(), SimpleNamespace()
    parts = Parts(session_id="s", journal=journal, checkpoints=checkpoints)
    session = make_session(config, client, parts, state)
    assert (session.id, session.name, session.preview, session.notes) == ("s", "mine", "hello", ("odd",))
    assert [*session.history.items] == [shown, words]
    assert session.settings.model == "gpt-4.1"
    assert [one.id for one in session.queue.entries] == ["q"]
    assert (session.totals.total.total_tokens, session.totals.cost_usd) == (7, 0.5)
    assert vars(session.shown_context)["_environment"] == "<environment_context>x</environment_context>"
    assert session.services.client is client
    assert session.services.checkpoints is checkpoints
    anyio.run(session.history.note, EventEntry({"type": "x"}))
    assert len(journal.entries) == 1


def test_a_new_session_has_an_id_of_its_own_and_no_record(config: Config) -> None:
    one, other = (make_session(config, ScriptedModel()) for _ in range(2))
    assert one.id != other.id
    anyio.run(one.history.note, EventEntry({"type": "x"}))
    assert not one.history.items


def test_the_settings_determine_the_tools(config: Config) -> None:
    usual = ["shell", "exec_command", "write_stdin", "apply_patch", "update_plan"]
    for view_image in (True, False):
        for web_search in (True, False):
            table = ToolsTable(
                view_image=view_image, web_search=web_search, web_search_allowed_domains=["python.org"]
            )
            specs = make_tools(replace(config, tools=table)).specs()
            names = ["web_search" if isinstance(spec, WebSearchSpec) else spec.name for spec in specs]
            assert names == [*usual, *["view_image"] * view_image, *["web_search"] * web_search]
            searches = [spec for spec in specs if isinstance(spec, WebSearchSpec)]
            assert [spec.allowed_domains for spec in searches] == [("python.org",)] * web_search
            assert any(isinstance(spec, FreeformSpec) for spec in specs)


def test_guards_apply_to_commands_and_patches_in_them(config: Config) -> None:
    tools = vars(make_tools(config))["_tools"]
    shell = vars(tools["shell"])
    assert shell["_apply_patch"] is tools["apply_patch"]
    assert shell["_guards"] is config.command_guards


@pytest.mark.parametrize("asks_user", [True, False])
def test_the_model_may_ask_the_user_if_the_frontend_supports_it(config: Config, asks_user: bool) -> None:
    session = make_session(config, ScriptedModel(), Parts(asks_user=asks_user))
    names = [spec.name for spec in session.services.tools.specs() if not isinstance(spec, WebSearchSpec)]
    assert ("request_user_input" in names) is asks_user
    assert {"shell", "apply_patch"} <= {*names}
    undeclared = vars(make_tools(config))["_undeclared"]
    assert undeclared("request_user_input").name == "request_user_input"
    assert undeclared("other") is None
    assert (session.user_questions is not None) is asks_user


def test_a_scenario_is_replayed(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, [])
    client = make_client(scripted_config(tmp_path, replay_scenario=scenario), Keys())  # type: ignore[arg-type] # asked for nothing
    assert isinstance(client, ReplayClient)


class Keys:
    """Holds or isolates given keys. See `KeyProxies`."""

    def __init__(self, key: bytes | None = None, proxy: str | None = None) -> None:
        self.key, self.proxy = key, proxy
        self.asked: list[object] = []

    def isolate(self, provider: object, wanted: object) -> str | None:
        self.asked.append(("isolate", provider, wanted))
        return self.proxy

    def hold(self, provider: object, wanted: object) -> bytes | None:
        self.asked.append(("hold", provider, wanted))
        return self.key


@pytest.mark.parametrize(("wire", "kind"), [("responses", ResponsesWire), ("chat", ChatWire)])
@pytest.mark.parametrize(
    ("key", "proxy", "known"),
    [(None, None, b"sk-environment"), (b"held", None, b"held"), (None, "proxy", None)],
)
def test_a_provider_gets_requests_on_its_wire_with_its_key(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wire: str,
    kind: type,
    key: bytes | None,
    proxy: str | None,
    known: bytes | None,
) -> None:
    monkeypatch.setenv("THE_KEY", "sk-environment")
    provider = {"name": "p", "base_url": "http://127.0.0.1:1/v1", "env_key": "THE_KEY", "wire_api": wire}
    settings = (("model_providers", {"p": provider}),)
    config = scripted_config(tmp_path, replay_scenario=None, model_provider="p", settings=settings)
    made: list[tuple[Any, ...]] = []

    def client(provider: object, wire: object, **more: object) -> str:
        made.append((provider, wire, more))
        return "client"

    def recorder(path: Path, **more: object) -> str:
        made.append((path, more))
        return "recorder"

    monkeypatch.setattr(http, "HttpModelClient", client)
    monkeypatch.setattr(record, "Recorder", recorder)
    keys: Any = Keys(key, proxy)
    assert str(make_client(config, keys)) == "client"
    (provider_, wire_, more), *_ = made
    assert provider_ is config.provider
    assert type(wire_) is kind
    assert vars(wire_)["_provider"] is config.provider
    assert more == {"recorder": None, "key_proxy": proxy, "key": key}
    isolation = config.key_isolation
    assert keys.asked == [("isolate", config.provider, isolation), ("hold", config.provider, isolation)]

    made.clear()
    make_client(replace(config, record=tmp_path / "record.jsonl"), keys)
    recorded, (_, _, more) = made
    assert recorded == (tmp_path / "record.jsonl", {"wire": wire, "key": known})
    assert more["recorder"] == "recorder"
