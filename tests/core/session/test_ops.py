"""What a conversation does with each op, and what a frontend sees when it begins and ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest
from anyio.abc import TaskGroup

from code_core.config.load import Config
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.events import BackgroundEvent, ErrorEvent, EventMsg
from code_core.protocol.mcp_events import McpServerStatus
from code_core.protocol.ops import (
    AddToHistory,
    EditQueuedInput,
    ExecApproval,
    GetHistoryEntryRequest,
    ListMcpTools,
    ListTerminals,
    Op,
    OverrideTurnContext,
    RegisterApprovedCommand,
    RemoveQueuedInput,
    ResolveElicitation,
    SetSessionName,
    StopTerminals,
    TextInput,
    UpdateValidationGroup,
    UpdateValidationTool,
)
from code_core.protocol.policies import ReviewDecision
from code_core.protocol.session_events import GetHistoryEntryResponse
from code_core.safety.rules import RegisteredCommand
from code_core.session.conversation import LONGEST_NAME, Conversation
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.entries import EventEntry
from code_core.store.journal import FaultyJournal, MemoryJournal
from code_core.tools.terminals import Terminals
from core.session.scripted import (
    Reading,
    ScriptedModel,
    answer,
    converse,
    queued,
    scripted_config,
    scripted_conversation,
    text,
)
from core.session.stand_ins import LISTING, Servers, Stored, with_parts


def events_of(conversation: Conversation, *ops: Op, last: str) -> list[tuple[str, EventMsg]]:
    """The events, with the ids they came under, that come after the first one until one of kind `last`."""
    seen: list[tuple[str, EventMsg]] = []

    async def script(reading: Reading) -> None:
        for op in ops:
            await reading.send(op)
        await reading.until(last)
        seen.extend((event.id, event.msg) for event in reading.seen[1:])

    converse(conversation, script)
    return seen


def empty(config: Config, **more: Any) -> Conversation:
    return scripted_conversation(config, ScriptedModel(), **more)


def test_ops_are_numbered_from_1(config: Config) -> None:
    async def script(reading: Reading) -> None:
        assert [await reading.send(ListTerminals()) for _ in range(2)] == ["1", "2"]
        await reading.until("terminals_changed")
        assert (reading.seen[-1].id, reading.seen[-1].event_seq) == ("1", 0)

    converse(empty(config), script)


def test_server_reports_do_not_belong_to_an_op(config: Config) -> None:
    servers = Servers()
    seen = events_of(with_parts(empty(config), servers=servers), last="background_event")
    assert seen == [
        ("0", McpServerStatus(name="files", status="ready")),
        ("0", BackgroundEvent(message="it has started")),
    ]
    assert servers.closed


class Announcing(Terminals):
    """Reports something as soon as possible."""

    def serve(self, tasks: TaskGroup, emit: Callable[[EventMsg], Awaitable[None]]) -> None:
        async def report() -> None:
            await emit(BackgroundEvent(message="a command has ended"))

        tasks.start_soon(report)


def test_reports_about_running_commands_do_not_belong_to_an_op(config: Config) -> None:
    seen = events_of(with_parts(empty(config), terminals=Announcing()), last="background_event")
    assert seen == [("0", BackgroundEvent(message="a command has ended"))]


def test_the_user_is_warned_at_the_beginning(tmp_path: Path) -> None:
    config = replace(scripted_config(tmp_path), warnings=("a key is misspelt",))
    state = SessionState(notes=("one item was damaged", "its directory has gone"))
    seen = events_of(empty(config, state=state), ListTerminals(), last="terminals_changed")
    assert [(number, msg.message) for number, msg in seen if msg.type == "warning"] == [
        ("0", "a key is misspelt"),
        ("0", "one item was damaged; its directory has gone"),
    ]


def test_notes_about_a_session_with_a_history_say_that_it_was_resumed(config: Config) -> None:
    async def first(reading: Reading) -> None:
        await reading.send(text("go"))
        await reading.ended()

    journal = MemoryJournal()
    converse(scripted_conversation(config, ScriptedModel(answer("ok")), parts=Parts(journal=journal)), first)
    state = SessionState.from_entries(journal.entries).noted("something was left out")
    [(number, warning)] = events_of(empty(config, state=state), last="warning")
    assert number == "0"
    assert cast("Any", warning).message == "the session was resumed: something was left out"


def test_a_stored_session_is_cleaned_up_in_the_background(config: Config) -> None:
    stored = Stored()

    async def script(_reading: Reading) -> None:
        await stored.cleaned.wait()

    converse(with_parts(empty(config), stored=stored), script)


def test_a_registered_command_is_allowed(config: Config) -> None:
    conversation = empty(config)
    op = RegisterApprovedCommand(command=["ls"], match_kind="prefix")
    events_of(conversation, op, ListTerminals(), last="terminals_changed")
    assert conversation.session.approvals.registered_commands() == [RegisteredCommand(("ls",), "prefix")]


@pytest.mark.parametrize(
    ("op", "warning"),
    [
        (
            ExecApproval(id="c9", decision=ReviewDecision.APPROVED),
            "the answer had no effect: no question with the id 'c9' is open",
        ),
        (
            ResolveElicitation(id="e9", action="accept"),
            "the answer had no effect: no question with the id 'e9' is open",
        ),
        (StopTerminals(), "nothing to stop: no command is running"),
        (StopTerminals(session_id=3), "nothing to stop: no session 3 is running"),
        (
            EditQueuedInput(id="q9", items=[]),
            "no queued input has the id 'q9': it was sent or removed",
        ),
        (
            cast("Op", SimpleNamespace(type="unheard_of")),
            "the operation 'unheard_of' is not supported here and had no effect",
        ),
    ],
)
def test_an_op_that_changes_nothing_is_a_warning(config: Config, op: Op, warning: str) -> None:
    (number, event), (_, last) = events_of(empty(config), op, ListTerminals(), last="terminals_changed")
    assert number == "1"
    assert cast("Any", event).message == warning
    assert last.type == "terminals_changed"


@pytest.mark.parametrize("action", ["accept", "revise", "reject"])
def test_an_answer_to_a_plan_that_is_not_open_is_an_error(config: Config, action: Any) -> None:
    [(number, event)] = events_of(empty(config), ResolvePlan(id="p9", action=action), last="error")
    assert number == "1"
    closed = "the answer had no effect: no plan with the id 'p9' is open"
    assert event == ErrorEvent(message=closed, code="no_plan")


def test_the_tools_of_servers_are_listed(config: Config) -> None:
    conversation = with_parts(empty(config), servers=Servers())
    assert events_of(conversation, ListMcpTools(), last="mcp_list_tools_response")[-1] == ("1", LISTING)


@pytest.mark.parametrize("on", [True, False])
def test_checks_are_turned_on_and_off_for_later_turns(config: Config, on: bool) -> None:
    conversation = empty(config)
    ops: list[Op] = [
        UpdateValidationTool(name="mypy", enable=on),
        UpdateValidationGroup(group="stylistic", enable=on),
        ListTerminals(),
    ]
    events_of(conversation, *ops, last="terminals_changed")
    switches = conversation.session.settings.validation
    assert (switches.tools["mypy"], switches.groups["stylistic"]) == (on, on)


def test_unsupported_settings_for_a_model_are_a_warning(tmp_path: Path) -> None:
    config = scripted_config(tmp_path, settings=(("model_text_verbosity", "low"),))
    changed, warning = events_of(empty(config), OverrideTurnContext(model="gpt-4.1"), last="warning")[-2:]
    assert (changed[0], changed[1].type) == ("1", "settings_changed")
    assert warning[0] == "1"
    assert "the model gpt-4.1 does not support it" in cast("Any", warning[1]).message


@pytest.mark.parametrize(
    ("given", "name"),
    [("  two\n words ", "two words"), ("x" * 900, "x" * LONGEST_NAME), (" ", None), (None, None)],
)
def test_a_session_name_is_one_short_line(config: Config, given: str | None, name: str | None) -> None:
    stored, journal = Stored(), MemoryJournal()
    conversation = with_parts(empty(config, parts=Parts(journal=journal)), stored=stored)
    [(number, event)] = events_of(conversation, SetSessionName(name=given), last="session_renamed")
    assert (number, cast("Any", event).name) == ("1", name)
    assert conversation.session.name == name
    assert EventEntry({"type": "session_renamed", "name": name}) in journal.entries


def test_lists_show_the_name(config: Config) -> None:
    stored = Stored()
    conversation = with_parts(empty(config), stored=stored)
    events_of(conversation, SetSessionName(name="mine"), ListTerminals(), last="terminals_changed")
    assert stored.names == ["mine"]


@pytest.mark.parametrize(
    "op", [SetSessionName(name="mine"), AddToHistory(text="words"), GetHistoryEntryRequest()]
)
def test_a_failed_write_to_the_store_is_a_warning(config: Config, op: Op) -> None:
    conversation = with_parts(empty(config), stored=Stored(full=True))
    number, warning = events_of(conversation, op, last="warning")[-1]
    assert (number, cast("Any", warning).message) == ("1", "the disk is full")


def test_typed_input_can_be_read_back(config: Config) -> None:
    conversation = with_parts(empty(config), stored=Stored())
    ops = AddToHistory(text="words"), GetHistoryEntryRequest()
    [(number, response)] = events_of(conversation, *ops, last="get_history_entry_response")
    assert number == "2"
    assert cast("Any", response).entry.text == "words"


def test_a_session_in_memory_has_no_input_history(config: Config) -> None:
    ops = AddToHistory(text="words"), GetHistoryEntryRequest()
    [(_, response)] = events_of(empty(config), *ops, last="get_history_entry_response")
    assert response == GetHistoryEntryResponse(log_id=0, offset=0, count=0)


def marks(journal: MemoryJournal) -> list[tuple[str, Any]]:
    return [
        (entry.name, entry.event.get("id"))
        for entry in journal.entries
        if isinstance(entry, EventEntry) and entry.name.startswith("input_")
    ]


def test_changes_of_the_queue_are_recorded(config: Config) -> None:
    journal, gate = MemoryJournal(), anyio.Event()

    async def script(reading: Reading) -> None:
        await reading.send(text("go", id="a"))
        await reading.until("user_message")
        form = {"type": "object"}
        await reading.send(queued("later", id="b", output_schema=form))
        await reading.send(EditQueuedInput(id="b", items=[TextInput(text="much later")]))
        await reading.send(queued("never", id="c"))
        await reading.send(RemoveQueuedInput(id="c"))
        for _ in range(5):  # one for the input that was taken
            await reading.until("queue_changed")
        await anyio.wait_all_tasks_blocked()
        assert marks(journal) == [
            ("input_queued", "a"),
            ("input_queued", "b"),
            ("input_queued", "b"),
            ("input_queued", "c"),
            ("input_removed", "c"),
        ]
        (left,) = SessionState.from_entries(journal.entries).queue
        assert (left.items, left.output_schema) == ((TextInput(text="much later"),), form)
        gate.set()
        await reading.ended()

    model = ScriptedModel([*answer("first")[:-1], gate, answer("first")[-1]], answer("second"))
    converse(scripted_conversation(config, model, parts=Parts(journal=journal)), script)


def test_an_input_with_the_id_of_an_earlier_one_gets_its_own(config: Config) -> None:
    async def script(reading: Reading) -> None:
        for words in ("one", "two", "three"):
            await reading.send(text(words, id=None if words == "three" else "mine"))
            await reading.ended()
        first, second, third = (message.id for message in reading.of("user_message"))
        assert first == "mine"
        assert second.startswith("input_")
        assert third.startswith("input_")
        assert second != third

    converse(scripted_conversation(config, ScriptedModel(*(answer("ok") for _ in range(3)))), script)


def test_an_input_that_cannot_be_recorded_is_a_warning(config: Config) -> None:
    def is_input(entry: object) -> bool:
        return isinstance(entry, EventEntry) and entry.name == "input_queued"

    async def script(reading: Reading) -> None:
        await reading.send(text("go"))
        assert "No space left" in (await reading.until("warning")).message
        assert reading.seen[-1].id == "1"

    converse(empty(config, parts=Parts(journal=FaultyJournal(is_input))), script)
