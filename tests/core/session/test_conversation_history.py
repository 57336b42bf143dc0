"""The history of a session is recorded before it is used."""

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from code_core.protocol.items import (
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
    UnknownItem,
)
from code_core.session.history import history as conversation_history
from code_core.session.history.history import History, HistoryItem, NoJournal
from code_core.session.history.sizes import estimated_tokens
from code_core.store.entries import Compacted, EventEntry, ItemEntry
from code_core.store.errors import JournalError, JournalTimeout
from code_core.store.journal import FaultyJournal, MemoryJournal

NOTE = EventEntry({"type": "note"})


def words(text: str, item_id: str = "m") -> HistoryItem:
    return HistoryItem(item_id, Message(role="user", content=[InputText(text=text)]), "t")


def call(call_id: str) -> HistoryItem:
    return HistoryItem(call_id, FunctionCall(name="shell", arguments="{}", call_id=call_id))


def test_an_item_is_recorded_as_it_is_sent_and_with_its_ids() -> None:
    payload = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    assert words("hi").payload() == payload | {"item_id": "m", "turn_id": "t"}
    assert HistoryItem("m", words("hi").item).payload() == payload | {"item_id": "m"}
    failed = HistoryItem("m", words("hi").item, failed=True)
    assert failed.payload() == payload | {"item_id": "m", "success": False}


def test_ids_of_calls_outlive_a_compaction() -> None:
    async def main() -> None:
        history = History(MemoryJournal(), [call("c1"), words("hi")])
        assert history.call_ids == {"c1"}
        await history.add(call("c2"))
        await history.replace([words("summary")], "summary")
        assert history.call_ids == {"c1", "c2"}

    anyio.run(main)


def test_a_model_gets_only_items_that_every_model_understands() -> None:
    unknown = UnknownItem.model_validate({"type": "new"})
    history = History(MemoryJournal(), [words("hi"), HistoryItem("u", unknown), call("c1")])
    assert history.model_items() == [words("hi").item, call("c1").item]
    assert [one.id for one in history.items] == ["m", "u", "c1"]


def test_the_size_follows_the_items() -> None:
    async def main() -> None:
        one, two = words("x" * 400), words("y" * 40)
        history = History(MemoryJournal(), [one])
        assert history.tokens == estimated_tokens([one.item]) == 108
        await history.add(two)
        assert history.tokens == estimated_tokens([one.item, two.item]) == 126
        await history.replace([two], "summary")
        assert history.tokens == estimated_tokens([two.item]) == 18
        assert list(history.items) == [two]

    anyio.run(main)


@pytest.mark.parametrize(
    ("item", "tokens"),
    [
        (FunctionCallOutput(call_id="c", output="x" * 40), 18),
        (CustomToolCallOutput(call_id="c", output="x" * 40), 18),
        (
            FunctionCallOutput(call_id="c", output=[InputText(text="x" * 40), InputImage(image_url="d:,")]),
            1_018,
        ),
        (Message(role="assistant", content=[OutputText(text="x" * 40), Refusal(refusal="y" * 40)]), 28),
        (FunctionCall(name="n" * 10, arguments="a" * 10, call_id="c" * 7), 8 + (10 + 10 + 7 + 13) // 4),
    ],
    ids=["output", "custom output", "image", "answer", "call"],
)
def test_four_characters_are_a_token_and_an_image_is_a_thousand(item: ResponseItem, tokens: int) -> None:
    assert estimated_tokens([item]) == tokens


def test_texts_in_lists_and_tables_count_wherever_they_are() -> None:
    unknown: Any = UnknownItem.model_validate({"type": "new", "deep": [{"text": "x" * 400}, 5, None]})
    assert estimated_tokens([unknown]) == 8 + (400 + len("new")) // 4


def test_entries_that_the_journal_rejects_are_written_first_the_next_time() -> None:
    async def main() -> None:
        journal = FaultyJournal(lambda _entry: True)
        history = History(journal)
        with pytest.raises(JournalError, match="No space"):
            await history.add(words("first", "a"))
        assert [one.id for one in history.items] == ["a"]
        with pytest.raises(JournalError, match="No space"):
            await history.note(NOTE)
        journal.fails = lambda _entry: False
        await history.add(words("second", "b"))
        ids = [entry.payload.get("item_id", entry.payload["type"]) for entry in journal.entries]
        assert ids == ["a", "note", "b"]
        assert journal.syncs == 0
        await history.sync()
        assert journal.syncs == 1
        assert len(journal.entries) == 3

    anyio.run(main)


def test_a_compaction_that_cannot_be_recorded_changes_nothing() -> None:
    async def main() -> None:
        journal = FaultyJournal(lambda entry: isinstance(entry, Compacted))
        history = History(journal, [words("old", "a")])
        tokens = history.tokens
        with pytest.raises(JournalError):
            await history.replace([words("new", "b")], "summary", NOTE)
        assert ([one.id for one in history.items], history.tokens) == (["a"], tokens)
        await history.add(words("more", "c"))
        assert journal.entries == [ItemEntry(words("more", "c").payload())]
        journal.fails = lambda _entry: False
        await history.replace([words("new", "b")], "summary", NOTE)
        assert journal.entries[1:] == [Compacted.of("summary", [words("new", "b").payload()]), NOTE]

    anyio.run(main)


def test_entries_that_waited_before_a_failed_compaction_still_wait() -> None:
    async def main() -> None:
        journal = FaultyJournal(lambda _entry: True)
        history = History(journal)
        with pytest.raises(JournalError):
            await history.add(words("old", "a"))
        with pytest.raises(JournalError):
            await history.replace([words("new", "b")], "summary", NOTE)
        journal.fails = lambda _entry: False
        await history.sync()
        assert [entry.payload["item_id"] for entry in journal.entries] == ["a"]

    anyio.run(main)


class SlowlyClosing(FaultyJournal):
    """A journal that takes a moment to close."""

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        await super().aclose()


def test_closing_writes_pending_entries_and_closes_even_if_that_fails() -> None:
    async def main() -> None:
        journal = FaultyJournal(lambda _entry: True)
        history = History(journal)
        with pytest.raises(JournalError):
            await history.note(NOTE)
        with pytest.raises(JournalError):
            await history.aclose()
        assert journal.closed
        journal = SlowlyClosing(lambda _entry: True)
        history = History(journal)
        with pytest.raises(JournalError):
            await history.note(NOTE)
        journal.fails = lambda _entry: False
        with anyio.CancelScope() as scope:
            scope.cancel()
            await history.aclose()
        assert journal.entries == [NOTE]
        assert journal.closed

    anyio.run(main)


def test_writers_do_not_overlap() -> None:
    async def main() -> None:
        journal = FaultyJournal()
        journal.block()
        history = History(journal)
        async with anyio.create_task_group() as tasks:
            for name in "ab":
                tasks.start_soon(history.add, words(name, name))
            await anyio.wait_all_tasks_blocked()
            assert list(history.items) == []
            journal.gate.set()
        assert [entry.payload["item_id"] for entry in journal.entries] == ["a", "b"]
        assert len(history.items) == 2

    anyio.run(main)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_journal_that_hangs_is_awaited_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    monkeypatch.setattr(conversation_history, "RECORD_SECONDS", 0.05)

    async def main() -> None:
        journal = FaultyJournal()
        journal.block()
        history = History(journal)
        with anyio.fail_after(5), anyio.CancelScope() as scope:
            if cancelled:
                scope.cancel()
            with pytest.raises(JournalError, match=r"within 0\.05 s"):
                await history.add(words("precious"))
        assert len(history.items) == 1

    anyio.run(main)


def test_a_session_that_is_not_stored_keeps_its_history_in_memory() -> None:
    async def main() -> None:
        history = History(NoJournal())
        await history.add(words("a"), call("c"))
        await history.note(NOTE)
        await history.sync()
        await history.replace([words("b")], "summary", NOTE)
        await history.aclose()
        assert [one.item for one in history.items] == [words("b").item]

    anyio.run(main)


def answer(*parts: OutputText | Refusal) -> HistoryItem:
    return HistoryItem("a", Message(role="assistant", content=list(parts)))


def picture(characters: int) -> HistoryItem:
    return HistoryItem(
        f"p{characters}", Message(role="user", content=[InputImage(image_url="x" * characters)])
    )


def test_the_sizes_of_images_follow_the_items() -> None:
    async def main() -> None:
        history = History(MemoryJournal(), [picture(3)])
        await history.add(words("between"), picture(5))
        assert history.image_sizes == [3, 5]
        await history.replace([picture(7)], "summary")
        assert history.image_sizes == [7]

    anyio.run(main)


def test_an_answer_is_recorded_as_an_event_too_and_so_are_entries_in_their_order() -> None:
    spoken, empty = answer(OutputText(text="hi")), answer()

    async def main() -> None:
        journal = MemoryJournal()
        history = History(journal)
        await history.add(spoken, NOTE)
        assert journal.entries == [ItemEntry(spoken.payload()), EventEntry.agent_message("hi"), NOTE]
        await history.replace([], "summary")
        await history.add(empty)
        assert journal.entries[4:] == [ItemEntry(empty.payload())]
        assert list(history.items) == [empty]

    anyio.run(main)


def test_ids_are_unique_until_a_compaction_drops_them() -> None:
    async def main() -> None:
        history = History(MemoryJournal())
        await history.add(words("one", "a"), words("two", "a"))
        await history.add(words("three", "a"))
        ids = [one.id for one in history.items]
        assert ids[0] == "a"
        assert len(set(ids)) == 3
        assert all(one in history.ids for one in ids)
        await history.replace([words("new", "b")], "summary")
        assert "b" in history.ids
        assert "a" not in history.ids
        await history.add(words("again", "a"))
        assert [one.id for one in history.items] == ["b", "a"]

    anyio.run(main)


def test_after_a_timeout_the_journal_is_awaited_for_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_history, "RECORD_SECONDS", 0.05)
    monkeypatch.setattr(conversation_history, "PATIENCE_SECONDS", 0.02)

    async def main() -> None:
        journal = FaultyJournal()
        journal.block()
        history = History(journal)
        for seconds in (r"0\.05", r"0\.02", r"0\.02"):
            with pytest.raises(JournalTimeout, match=f"within {seconds} s"):
                await history.note(NOTE)
        journal.gate.set()
        await history.sync()
        assert journal.entries == [NOTE] * 3
        journal.block()
        with pytest.raises(JournalTimeout, match=r"within 0\.05 s"):
            await history.sync()

    anyio.run(main)


def test_a_compaction_that_the_journal_may_still_record_takes_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation_history, "RECORD_SECONDS", 0.02)

    async def main() -> None:
        journal = FaultyJournal()
        journal.block()
        history = History(journal, [words("old", "a")])
        new = words("new", "b")
        with pytest.raises(JournalTimeout):
            await history.replace([new], "summary")
        assert list(history.items) == [new]
        journal.gate.set()
        await history.sync()
        assert journal.entries == [Compacted.of("summary", [new.payload()])]

    anyio.run(main)
