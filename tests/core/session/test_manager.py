"""How a manager creates conversations from settings, stored sessions and a frontend's parts."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from code_core.config.load import NO_OVERRIDES, ConfigOverrides
from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.errors import ConfigError
from code_core.model.key_proxy import KeyProxies
from code_core.protocol.items import InputText, Message
from code_core.protocol.ops import OverrideTurnContext, SetSessionName
from code_core.protocol.policies import AskForApproval
from code_core.session.conversation import Conversation
from code_core.session.history.history import HistoryItem
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.file_checkpoints import FileCheckpoints
from code_core.session.stored.opening import store_of
from code_core.session.stored.restore import SessionState
from code_core.store.entries import Entry, EventEntry, ItemEntry
from code_core.store.errors import JournalError
from code_core.store.journal import FaultyJournal, MemoryJournal
from core.session.desk import Desk, input_of, turns
from core.session.scripted import Reading, ScriptedModel, answer

Make = Callable[[ConversationManager], Awaitable[Conversation]]
ID = "11111111-1111-4111-8111-111111111111"
WORDS = Message(role="user", content=[InputText(text="earlier words")])
STATE = SessionState(ID, (HistoryItem("i", WORDS),))
CUT_OFF = SessionState(ID, (HistoryItem("i", WORDS),), open_turn="t")


def made(make: Make, base: ConfigOverrides = NO_OVERRIDES) -> Conversation:
    """A conversation that was released."""

    async def main() -> Conversation:
        with anyio.fail_after(20), ConversationManager(base) as manager:
            conversation = await make(manager)
            await conversation.discard()
            return conversation

    return anyio.run(main)


def scripted(model: ScriptedModel | None = None, **more: Any) -> Parts:
    return Parts(client=model or ScriptedModel(), **more)


def is_free(desk: Desk, session: str) -> bool:
    store = store_of()
    return store.holder(store.find(session)) is None and not [*(desk.home / "locks").glob("*.lock")]


@pytest.mark.parametrize("method", ["new", "resume", "fork"])
@pytest.mark.parametrize("is_stored", [True, False])
def test_overrides_for_a_conversation_take_precedence_over_the_base_settings(
    desk: Desk, method: str, is_stored: bool
) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one")) if is_stored else STATE
    about = () if method == "new" else (session,)
    base = desk.overrides(
        cwd=desk.work,
        model="gpt-4.1",
        settings=(("model_verbosity", "low"), ("tools.web_search", True)),
        client=(("hide_agent_reasoning", True), ("approval_policy", "never")),
    )
    given = ConfigOverrides(
        model="gpt-5", settings=(("model_verbosity", "high"),), client=(("approval_policy", "untrusted"),)
    )
    config = made(lambda manager: getattr(manager, method)(*about, given, scripted()), base).config
    assert (config.cwd, config.model, config.approval_policy) == (
        desk.work,
        "gpt-5",
        AskForApproval.UNTRUSTED,
    )
    assert config.preferences.verbosity == "high"
    assert config.tools.web_search
    assert config.hide_reasoning


def test_a_resumed_session_is_not_less_strict(desk: Desk) -> None:
    untrusted = AskForApproval.UNTRUSTED
    session = desk.new(ScriptedModel(answer("ok")), turns("one"), approval_policy=untrusted)
    conversation = made(lambda manager: manager.resume(session, desk.overrides(), scripted()))
    assert conversation.config.approval_policy == untrusted
    assert conversation.session.settings.approval_policy == untrusted


def test_a_state_is_resumed_under_its_id(desk: Desk) -> None:
    given = desk.overrides(cwd=desk.work)
    journal = MemoryJournal()
    parts = scripted(journal=journal, session_id="22222222-2222-4222-8222-222222222222")
    conversation = made(lambda manager: manager.resume(STATE, given, parts))
    assert conversation.id == ID
    assert [one.item for one in conversation.session.history.items] == [WORDS]
    assert journal.entries == []
    nameless = made(lambda manager: manager.resume(SessionState(), given, parts))
    assert nameless.id == parts.session_id


@pytest.mark.parametrize("method", ["resume", "fork"])
def test_the_model_learns_of_a_turn_that_was_cut_off(desk: Desk, method: str) -> None:
    journal = MemoryJournal()
    given = desk.overrides(cwd=desk.work)
    conversation = made(lambda manager: getattr(manager, method)(CUT_OFF, given, scripted(journal=journal)))
    words, note = (one.item for one in conversation.session.history.items)
    assert words == WORDS
    assert isinstance(note, Message)
    assert "was cut off" in note.text
    end = journal.entries[-1]
    assert isinstance(end, EventEntry)
    assert (end.event["type"], end.event["turn_id"], end.event["reason"]) == (
        "turn_aborted",
        "t",
        "interrupted",
    )


def test_a_session_can_continue_in_a_record_of_the_caller(desk: Desk) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one"))
    before = desk.rollouts()[0].read_bytes()
    model, journal = ScriptedModel(answer("ok")), MemoryJournal()

    async def script(reading: Reading) -> None:
        assert is_free(desk, session)
        await turns("two")(reading)

    assert desk.resume(session, model, script, scripted(model, journal=journal)) == session
    assert model.request_text().index("'one'") < model.request_text().index("'two'")
    assert [desk.rollouts()[0].read_bytes()] == [before]
    assert journal.entries


def test_a_fork_in_memory_continues_with_what_the_session_had(desk: Desk) -> None:
    async def first(reading: Reading) -> None:
        await reading.send(OverrideTurnContext(model="gpt-4.1"))
        await reading.send(SetSessionName(name="mine"))
        await turns("one")(reading)

    session = desk.new(ScriptedModel(answer("ok", tokens=40)), first)
    forked = made(lambda manager: manager.fork(session, desk.overrides(ephemeral=True), scripted())).session
    assert forked.id != session
    assert (forked.settings.model, forked.name, forked.preview) == ("gpt-4.1", "mine", "one")
    assert forked.totals.total.total_tokens == 40


@pytest.mark.parametrize("at_once", [True, False])
def test_other_processes_find_a_session_from_its_first_turn_or_at_once(desk: Desk, at_once: bool) -> None:
    model = ScriptedModel(answer("ok"))

    async def script(reading: Reading) -> None:
        assert len(desk.rollouts()) == at_once
        await turns("one")(reading)
        assert len(desk.rollouts()) == 1

    desk.new(model, script, scripted(model, recorded_at_once=at_once))


def test_context_in_a_given_history_is_not_sent_again(desk: Desk) -> None:
    model = ScriptedModel(answer("ok"))
    desk.new(model, turns("one"))
    again = ScriptedModel(answer("ok"))
    desk.new(again, turns("two"), scripted(again, history=model.prompts[0].input))
    first, second = input_of(model), input_of(again)
    assert second[: len(first)] == first
    assert len(second) == len(first) + 1


def test_a_given_history_may_contain_an_item_twice(desk: Desk) -> None:
    conversation = made(
        lambda manager: manager.new(desk.overrides(cwd=desk.work), scripted(history=[WORDS, WORDS]))
    )
    assert len({one.id for one in conversation.session.history.items}) == 2


SETTINGS = """
[mcp_servers.files]
command = "configured"
[mcp_servers.other]
command = "configured"
[experimental_client_tools]
request_permission = {mcp_server = "files", tool_name = "configured"}
"""
OURS = McpServerTable(command="ours")
ASK = ClientToolTable(mcp_server="other", tool_name="ours")


@pytest.mark.parametrize(
    ("parts", "commands", "tool"),
    [
        ({}, {"files": "configured", "other": "configured"}, "configured"),
        (
            {"mcp_servers": {"files": OURS, "new": OURS}},
            {"files": "ours", "other": "configured", "new": "ours"},
            "configured",
        ),
        ({"permission_tool": ASK}, {"files": "configured", "other": "configured"}, "ours"),
    ],
)
def test_a_frontends_servers_replace_configured_ones(
    desk: Desk, parts: dict[str, Any], commands: dict[str, str], tool: str
) -> None:
    (desk.home / "config.toml").write_text(SETTINGS)
    config = made(lambda manager: manager.new(desk.overrides(cwd=desk.work), scripted(**parts))).config
    assert {name: server.command for name, server in config.mcp_servers.items()} == commands
    assert config.permission_tool is not None
    assert config.permission_tool.tool_name == tool


def test_the_processes_that_hold_keys_end_with_the_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[KeyProxies] = []
    monkeypatch.setattr(KeyProxies, "close", lambda keys: closed.append(keys))  # noqa: PLW0108 - a method
    with ConversationManager():
        assert closed == []
    assert len(closed) == 1


@pytest.mark.parametrize("wrong", [{"settings": (("approval_policy", "sometimes"),)}, {"model": None}])
def test_a_session_that_cannot_continue_is_released(desk: Desk, wrong: dict[str, Any]) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one"))
    with pytest.raises(ConfigError) as caught:  # while the error lives, so does everything it refers to
        made(lambda manager: manager.resume(session, desk.overrides(**wrong), Parts()))
    assert is_free(desk, session), caught


def fails_for(kind: type[Entry]) -> FaultyJournal:
    return FaultyJournal(lambda entry: isinstance(entry, kind))


@pytest.mark.parametrize(
    ("make", "fails"),
    [
        (lambda manager, given, parts: manager.resume(CUT_OFF, given, parts), ItemEntry),
        (lambda manager, given, parts: manager.resume(CUT_OFF, given, parts), EventEntry),
        (lambda manager, given, parts: manager.fork(STATE, given, parts), ItemEntry),
    ],
)
def test_a_conversation_whose_beginning_cannot_be_recorded_is_discarded(
    desk: Desk, make: Callable[..., Awaitable[Conversation]], fails: type[Entry]
) -> None:
    model, journal = ScriptedModel(), fails_for(fails)
    parts = scripted(model, journal=journal)
    with pytest.raises(JournalError):
        made(lambda manager: make(manager, desk.overrides(cwd=desk.work), parts))
    assert model.closed
    assert journal.closed


def test_a_new_session_that_cannot_be_recorded_immediately_is_discarded(desk: Desk) -> None:
    (desk.home / "sessions").write_text("a file")
    parts = scripted(session_id=ID, recorded_at_once=True)
    with pytest.raises(JournalError) as caught:
        made(lambda manager: manager.new(desk.overrides(cwd=desk.work), parts))
    assert [*(desk.home / "locks").glob("*.lock")] == [], caught


@pytest.mark.parametrize("enabled", [True, False])
def test_old_versions_of_files_are_saved_unless_the_settings_disable_it(desk: Desk, enabled: bool) -> None:
    (desk.home / "config.toml").write_text(f"[checkpoints]\nenabled = {str(enabled).lower()}\n")
    given = desk.overrides(cwd=desk.work)
    session = made(lambda manager: manager.new(given, scripted(session_id=ID))).session
    assert session.id == ID
    assert isinstance(session.services.checkpoints, FileCheckpoints) is enabled


def test_a_frontend_may_save_old_versions_itself(desk: Desk) -> None:
    ours = FileCheckpoints(desk.home / "elsewhere", ())
    given = desk.overrides(cwd=desk.work)
    session = made(lambda manager: manager.new(given, scripted(checkpoints=ours))).session
    assert session.services.checkpoints is ours
    in_memory = desk.overrides(cwd=desk.work, ephemeral=True)
    session = made(lambda manager: manager.new(in_memory, scripted())).session
    assert session.services.checkpoints is None


def test_an_undo_leaves_our_own_home_alone(desk: Desk) -> None:
    folder = desk.work.parent
    given = desk.overrides(cwd=folder)

    async def main() -> None:
        with anyio.fail_after(20), ConversationManager() as manager:
            conversation = await manager.new(given, scripted())
            checkpoints = conversation.session.services.checkpoints
            assert checkpoints is not None
            checkpoints.begin_turn("t", [folder], look_ahead=False)
            await checkpoints.before_command("t")
            for directory in (desk.home, desk.work):
                (directory / "made.txt").write_text("by a command")
            await checkpoints.end_turn("t")
            restored = await checkpoints.undo()
            assert restored is not None
            assert restored.files == (desk.work / "made.txt",)
            await conversation.discard()

    anyio.run(main)
