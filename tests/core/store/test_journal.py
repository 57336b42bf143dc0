import os
import threading
from pathlib import Path

import anyio
import pytest

from code_core.store import lock
from code_core.store.entries import Entry, ItemEntry, SessionMeta
from code_core.store.errors import JournalError
from code_core.store.journal import FaultyJournal, Journal, MemoryJournal
from code_core.store.restore import restore
from code_core.store.rollout import RolloutFile
from code_core.store.rollout_journal import RolloutJournal
from core.store.samples import ID, items, texts, user


def journal_at(tmp_path: Path) -> tuple[RolloutJournal, Path]:
    path = tmp_path / "a.jsonl"
    return RolloutJournal(RolloutFile(path, SessionMeta({"id": ID, "originator": "code_py"}))), path


def test_entries_stand_in_the_order_of_the_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(journal.append, *items(user(f"{number}a"), user(f"{number}b")))
        await journal.aclose()
        assert texts(restore(path).items) == [f"{number}{half}" for number in range(100) for half in "ab"]

    anyio.run(scenario)


def test_what_waits_is_written_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hops = []
    run_sync = anyio.to_thread.run_sync

    async def counting(function: object, *arguments: object) -> object:
        hops.append(function)
        return await run_sync(function, *arguments)  # type: ignore[arg-type]

    async def scenario() -> None:
        journal, _ = journal_at(tmp_path)
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(journal.append, *items(user(str(number))))
        await journal.aclose()

    monkeypatch.setattr("anyio.to_thread.run_sync", counting)
    anyio.run(scenario)
    assert len(hops) < 10


def test_a_cancelled_append_is_written_before_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    begun = threading.Event()
    write = RolloutFile.write

    def slow(file: RolloutFile, entries: list[Entry]) -> None:
        begun.set()
        assert gate.wait(10)
        write(file, entries)

    monkeypatch.setattr(RolloutFile, "write", slow)

    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        async with anyio.create_task_group() as group:
            group.start_soon(journal.append, *items(user("one")))
            await anyio.to_thread.run_sync(begun.wait)
            group.start_soon(journal.append, *items(user("two")))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            gate.set()
        await journal.append(*items(user("three")))
        await journal.aclose()
        assert texts(restore(path).items) == ["one", "two", "three"]

    anyio.run(scenario)


def test_after_a_failure_nothing_that_waited_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        await journal.append(*items(user("one")))
        errors: list[JournalError] = []

        async def append(entry: Entry) -> None:
            try:
                await journal.append(entry)
            except JournalError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(append, ItemEntry(user("two")))
            group.start_soon(append, ItemEntry({"value": object()}))
            group.start_soon(append, ItemEntry(user("depends on it")))
        assert len(errors) == 2
        await journal.append(*items(user("three")))
        await journal.aclose()
        assert texts(restore(path).items) == ["one", "two", "three"]

    anyio.run(scenario)


def test_a_failing_disk_fails_the_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    async def scenario() -> None:
        journal, _ = journal_at(tmp_path)
        await journal.append(*items(user("one")))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fails)
            with pytest.raises(JournalError, match="Input/output error"):
                await journal.sync()
        await journal.aclose()

    anyio.run(scenario)


def test_closing_releases_the_lock_and_a_second_time_does_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        held = lock.acquire(tmp_path, ID)
        journal = RolloutJournal(RolloutFile(tmp_path / "a.jsonl", SessionMeta({"id": ID})), held)
        await journal.aclose()
        assert not (tmp_path / "a.jsonl").exists()
        await journal.aclose()
        with pytest.raises(JournalError, match="closed"):
            await journal.append(*items(user("one")))

    anyio.run(scenario)
    lock.acquire(tmp_path, ID).release()


def test_the_twins_are_journals() -> None:
    async def scenario() -> None:
        for journal in (MemoryJournal(), FaultyJournal()):
            same: Journal = journal
            await same.append(*items(user("one"), user("two")))
            await same.sync()
            assert journal.entries == items(user("one"), user("two"))
            await same.aclose()
            with pytest.raises(JournalError):
                await same.append(*items(user("three")))

    anyio.run(scenario)


def test_the_faulty_twin_blocks_and_fails_as_it_is_asked_to() -> None:
    async def scenario() -> None:
        journal = FaultyJournal(fails=lambda entry: entry.payload == user("bad"))
        with pytest.raises(JournalError, match="No space"):
            await journal.append(*items(user("good"), user("bad")))
        assert journal.entries == []
        journal.block()
        with anyio.move_on_after(0.01) as scope:
            await journal.append(*items(user("good")))
        assert scope.cancelled_caught
        journal.gate.set()
        await journal.append(*items(user("good")))
        assert len(journal.entries) == 1

    anyio.run(scenario)
