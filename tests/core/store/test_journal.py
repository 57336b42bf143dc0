import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from code_core.store import lock
from code_core.store.entries import Entry, ItemEntry, SessionMeta
from code_core.store.errors import JournalError, SessionInUse
from code_core.store.journal import FaultyJournal, Journal, MemoryJournal
from code_core.store.restore import restore
from code_core.store.rollout import RolloutFile
from code_core.store.rollout_journal import RolloutJournal
from core.store.samples import ID, items, texts, user


def journal_at(tmp_path: Path) -> tuple[RolloutJournal, Path]:
    path = tmp_path / "a.jsonl"
    return RolloutJournal(RolloutFile(path, SessionMeta({"id": ID, "originator": "code_py"}))), path


def test_entries_are_in_the_order_of_the_calls(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(journal.append, *items(user(f"{number}a"), user(f"{number}b")))
        await journal.aclose()
        assert texts(restore(path).items) == [f"{number}{half}" for number in range(100) for half in "ab"]

    anyio.run(scenario)


@dataclass
class SlowDisk:
    """A disk that hangs while the gate is closed."""

    gate: threading.Event
    begun: threading.Event


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk(threading.Event(), threading.Event())
    write = RolloutFile.write

    def slow(file: RolloutFile, entries: list[Entry]) -> None:
        disk.begun.set()
        assert disk.gate.wait(10)
        write(file, entries)

    monkeypatch.setattr(RolloutFile, "write", slow)
    yield disk
    disk.gate.set()


def test_an_append_that_is_cancelled_before_its_turn_has_no_effect(
    tmp_path: Path, slow_disk: SlowDisk
) -> None:
    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        async with anyio.create_task_group() as group:
            group.start_soon(journal.append, *items(user("one")))
            await anyio.to_thread.run_sync(slow_disk.begun.wait)
            group.start_soon(journal.append, *items(user("two")))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        slow_disk.gate.set()
        await journal.append(*items(user("three")))
        await journal.aclose()
        assert texts(restore(path).items) == ["one", "three"]  # the first was in the thread's hands

    anyio.run(scenario)


def test_a_caller_can_stop_waiting_for_a_disk_that_hangs(tmp_path: Path, slow_disk: SlowDisk) -> None:
    held = lock.acquire(tmp_path, ID)
    path = tmp_path / "a.jsonl"

    async def scenario() -> None:
        journal = RolloutJournal(RolloutFile(path, SessionMeta({"id": ID})), held)
        with anyio.move_on_after(0.01) as appending:
            await journal.append(*items(user("one")))
        with anyio.move_on_after(0.01) as syncing:
            await journal.sync()
        with anyio.move_on_after(0.01) as closing:
            await journal.aclose()
        assert appending.cancelled_caught
        assert syncing.cancelled_caught
        assert closing.cancelled_caught
        with pytest.raises(SessionInUse):  # the thread may still write
            lock.acquire(tmp_path, ID)

    anyio.run(scenario)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "journal"]
    assert thread.daemon  # the process need not wait for it either
    slow_disk.gate.set()
    thread.join(10)
    assert texts(restore(path).items) == ["one"]
    lock.acquire(tmp_path, ID).release()


def test_an_append_that_fails_writes_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    async def scenario() -> None:
        journal, path = journal_at(tmp_path)
        await journal.append(*items(user("one")))
        with pytest.raises(JournalError):
            await journal.append(ItemEntry(user("two")), ItemEntry({"value": object()}))
        await journal.append(*items(user("three")))
        await journal.aclose()
        assert texts(restore(path).items) == ["one", "three"]

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


def test_closing_releases_the_lock_and_can_be_repeated(tmp_path: Path) -> None:
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


def test_the_test_doubles_are_journals() -> None:
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


def test_the_faulty_journal_blocks_and_fails_on_demand() -> None:
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
