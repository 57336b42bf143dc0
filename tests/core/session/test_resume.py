"""Late readers, resumed sessions, forks."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import Config
from code_core.errors import StreamBroken
from code_core.protocol.items import FunctionCall, InputText, Message
from code_core.protocol.ops import (
    Interrupt,
    OverrideTurnContext,
    RemoveQueuedInput,
    SetSessionName,
)
from code_core.session.history.history import HistoryItem
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.restore import SessionState
from code_core.store.entries import Entry, ItemEntry, Line, SessionMeta
from code_core.store.journal import MemoryJournal
from code_core.store.lines import decode, encode
from code_core.tools.tool import ToolOutput
from code_core.wire.response_events import ItemDone, ResponseEvent
from core.session.scripted import (
    Reading,
    ScriptedModel,
    ScriptedTool,
    Step,
    answer,
    calls,
    completed,
    converse,
    event_order,
    queued,
    scripted_conversation,
    text,
)


def message(words: str) -> HistoryItem:
    return HistoryItem(words[:8], Message(role="user", content=[InputText(text=words)]))


def test_a_late_reader_begins_with_a_snapshot_and_sees_the_rest(config: Config) -> None:
    gate = anyio.Event()

    async def script(reading: Reading) -> None:
        await reading.send(SetSessionName(name="  My\nsession "))
        await reading.send(text("please do   this"))
        await reading.until("agent_message_delta")
        late = reading.conversation.follow()
        snapshot: Any = await anext(late)
        assert (snapshot.msg.name, snapshot.msg.preview) == ("My session", "please do this")
        assert [one.item.role for one in snapshot.msg.items] == ["user", "user"]
        assert snapshot.msg.turn_id == reading.of("task_started")[0].turn_id
        gate.set()
        await reading.ended()
        rest = []
        while late.waiting:
            rest.append(await anext(late))
        assert [event.msg.type for event in rest[:2]] == ["task_started", "agent_message_delta"]
        assert rest[2:] == reading.seen[-len(rest) + 2 :]
        late.close()

    whole = answer("hello")
    model = ScriptedModel([whole[0], gate, *whole[1:]])
    converse(scripted_conversation(config, model), script)


def stored(journal: MemoryJournal) -> list[Entry]:
    """The entries as read back from a file."""
    meta = SessionMeta({"id": "11111111-1111-4111-8111-111111111111"})
    return [decode(encode(Line(entry, "")).rstrip()).entry for entry in (meta, *journal.entries)]


async def twice(reading: Reading) -> None:
    for words in ("one", "two"):
        await reading.send(text(words, id="mine"))
        await reading.ended()


def same_call_twice(call_id: str) -> ResponseEvent:
    return ItemDone(FunctionCall(name="work", arguments="{}", call_id=call_id), event_order())


@pytest.mark.parametrize(
    "scripts",
    [
        [answer("first"), answer("second")],  # a client that numbers every request 1
        [[*answer("partly")[:2], StreamBroken("cut")], answer("the rest"), answer("ok")],
        [
            [*answer("one")[:2], *answer("other")],
            answer("ok"),
        ],  # a provider that gives all items one position
        [[same_call_twice("c"), same_call_twice("c-output"), completed()], answer("done"), answer("ok")],
    ],
)
def test_items_with_the_same_id_are_all_restored(
    config: Config, scripts: list[list[Step]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_core.session.turn.sampling.backoff", lambda _attempt: 0.0)
    journal = MemoryJournal()
    conversation = scripted_conversation(
        config, ScriptedModel(*scripts), ScriptedTool("work"), parts=Parts(journal=journal)
    )
    converse(conversation, twice)
    history = list(conversation.session.history.items)
    state = SessionState.from_entries(stored(journal))
    assert list(state.items) == history
    assert len({one.id for one in history}) == len(history)
    texts = [one.item.text for one in state.items if isinstance(one.item, Message)]
    assert {"one", "two"} <= {*texts}
    assert state.queue == ()


def test_an_item_recorded_twice_is_restored_once_but_another_item_with_its_id_is_kept() -> None:
    one = ItemEntry(message("one").payload() | {"item_id": "same"})
    other = ItemEntry(message("other").payload() | {"item_id": "same"})
    state = SessionState.from_entries([one, one, other, one])
    assert [item.item.text for item in state.items if isinstance(item.item, Message)] == ["one", "other"]
    assert len({item.id for item in state.items}) == 2


def test_a_resumed_session_continues_where_it_was(config: Config, tmp_path: Path) -> None:
    journal = MemoryJournal()
    other = tmp_path / "other"
    other.mkdir()

    async def first(reading: Reading) -> None:
        await reading.send(SetSessionName(name="mine"))
        await reading.send(OverrideTurnContext(cwd=other, model="gpt-4.1"))
        await reading.send(text("one"))
        await reading.ended()
        await reading.send(text("two"))
        await reading.until("token_count")
        await reading.send(queued("waits", id="q1"))
        await reading.send(queued("gone", id="q2"))
        await reading.send(RemoveQueuedInput(id="q2"))
        await reading.send(Interrupt())
        await reading.ended()

    async def hang(*_: object) -> ToolOutput:
        await anyio.sleep_forever()
        raise AssertionError

    model = ScriptedModel(answer("bye"), calls("work"))
    conversation = scripted_conversation(
        config, model, ScriptedTool("work", hang), parts=Parts(journal=journal)
    )
    converse(conversation, first)
    state = SessionState.from_entries(stored(journal))
    assert (state.session_id, state.name, state.preview) == (
        "11111111-1111-4111-8111-111111111111",
        "mine",
        "one",
    )
    assert [entry.id for entry in state.queue] == ["q1"]
    assert state.usage == conversation.session.totals.total
    assert list(state.items) == list(conversation.session.history.items)

    async def second(reading: Reading) -> None:
        assert (await reading.until("session_configured")).cwd == other
        await reading.send(text("three"))
        await reading.ended()
        prompt = resumed.prompts[0]
        assert prompt.settings.model == "gpt-4.1"
        sent = resumed.request_text()
        assert sent.count("</environment_context>") == 1  # sent before the restart
        assert sent.index("waits") < sent.index("three")

    resumed = ScriptedModel(answer("bye"))
    converse(scripted_conversation(config, resumed, ScriptedTool("work"), state=state), second)


def test_a_fork_begins_before_the_last_inputs_and_records_its_history(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, copy = MemoryJournal(), MemoryJournal()
    monkeypatch.setenv("CODE_HOME", str(tmp_path))

    async def first(reading: Reading) -> None:
        for words in ("one", "two", "three"):
            await reading.send(text(words))
            await reading.ended()

    converse(
        scripted_conversation(
            config, ScriptedModel(*(answer("ok") for _ in range(3))), parts=Parts(journal=journal)
        ),
        first,
    )
    state = SessionState.from_entries(stored(journal))
    model = ScriptedModel(answer("bye"))

    async def main() -> None:
        from code_core.config.load import ConfigOverrides

        overrides = ConfigOverrides(cwd=config.cwd, replay_scenario=tmp_path / "unused")
        parts = Parts(journal=copy, client=model)
        async with await ConversationManager().fork(state, overrides, parts, drop_last=2) as fork:
            assert fork.id != state.session_id
            reading = Reading(fork)
            await reading.send(text("four"))
            await reading.ended()
        texts = [
            one.item.text
            for one in SessionState.from_entries(copy.entries).items
            if isinstance(one.item, Message)
        ]
        assert texts[1:] == ["one", "ok", "four", "bye"]

    anyio.run(main)


def test_history_that_a_frontend_gives_comes_first(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from code_core.config.load import ConfigOverrides

    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    model = ScriptedModel(answer("bye"))

    async def main() -> None:
        overrides = ConfigOverrides(cwd=config.cwd, replay_scenario=tmp_path / "unused")
        parts = Parts(client=model, history=[message("earlier words").item])
        async with await ConversationManager().new(overrides, parts) as conversation:
            reading = Reading(conversation)
            await reading.send(text("now"))
            await reading.ended()
            assert reading.of("session_configured")[0].history_items == 1
        assert model.request_text().index("earlier words") < model.request_text().index("now")

    anyio.run(main)
