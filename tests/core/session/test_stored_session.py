"""What a home stores for a session in addition to its record."""

import threading

import anyio
import anyio.from_thread
import pytest

from code_core.config.schema.storage import (
    CheckpointsTable,
    KeepTable,
    MessageHistoryTable,
    SessionsTable,
    Storage,
)
from code_core.protocol.ops import GetHistoryEntryRequest
from code_core.protocol.session_events import GetHistoryEntryResponse
from code_core.session.stored import stored_session
from code_core.session.stored.cleaning_settings import cleaning_settings
from code_core.session.stored.opening import store_of
from code_core.session.stored.stored_session import StoredSession
from code_core.store import cleaning
from code_core.store.cleaning import Cleaned, CleaningSettings, Limit
from code_core.store.errors import StoreError
from code_core.store.sessions import SessionStore
from core.session.desk import Desk, turns
from core.session.scripted import ScriptedModel, answer


def stored(desk: Desk, storage: Storage | None = None, name: str = "s") -> StoredSession:
    return StoredSession(SessionStore(desk.home), name, storage or Storage())


def entry(desk: Desk, log_id: int | None = None, offset: int | None = None) -> GetHistoryEntryResponse:
    return anyio.run(stored(desk).typed, GetHistoryEntryRequest(log_id=log_id, offset=offset))


def test_lists_show_the_name_until_it_is_removed(desk: Desk) -> None:
    session = desk.new(ScriptedModel(answer("ok")), turns("one"))
    for name in ("mine", None):
        anyio.run(stored(desk, name=session).rename, name)
        assert store_of().find(session).name == (name or "")


def test_typed_input_is_found_by_log_and_number(desk: Desk) -> None:
    for number, words in enumerate(("one", "two", "three")):
        anyio.run(stored(desk, name=f"s{number}").remember, words)
    newest = entry(desk)
    assert newest.entry is not None
    assert (newest.entry.session_id, newest.entry.text) == ("s2", "three")
    assert newest.entry.ts > 1_700_000_000
    assert (newest.offset, newest.count) == (2, 3)
    first = entry(desk, newest.log_id, 0)
    assert first.entry is not None
    assert (first.entry.text, first.offset, first.log_id) == ("one", 0, newest.log_id)
    assert entry(desk, newest.log_id + 1, 0).entry is None
    assert entry(desk, newest.log_id, 3).entry is None


def test_without_anything_typed_there_is_no_entry(desk: Desk) -> None:
    response = entry(desk)
    assert (response.entry, response.offset, response.count) == (None, 0, 0)


def test_the_settings_can_disable_or_limit_what_is_kept(desk: Desk) -> None:
    storage = Storage(typed=MessageHistoryTable(persistence="none"))
    anyio.run(stored(desk, storage).remember, "words")
    assert entry(desk).count == 0
    storage = Storage(typed=MessageHistoryTable(max_bytes=4_096))
    for _ in range(5):
        anyio.run(stored(desk, storage).remember, "x" * 1_000)
    assert (desk.home / "history.jsonl").stat().st_size <= 4_096


def test_zero_keeps_everything() -> None:
    storage = Storage(
        sessions=SessionsTable(keep_days=1, keep_megabytes=0),
        checkpoints=CheckpointsTable(keep_days=2, keep_megabytes=20),
        outputs=KeepTable(keep_days=0, keep_megabytes=30),
    )
    assert cleaning_settings(storage) == CleaningSettings(
        sessions=Limit(1, None), checkpoints=Limit(2, 20), outputs=Limit(None, 30)
    )


@pytest.mark.parametrize(
    ("result", "logged"),
    [
        (None, []),
        (
            Cleaned(deleted=2, bytes=10, failed=["x: busy"]),
            ["cleaning deleted 2 (10 bytes)", "cleaning: x: busy"],
        ),
        (StoreError("disk on fire"), ["cleaning failed: disk on fire"]),
    ],
)
def test_the_cleaning_is_logged(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    result: Cleaned | StoreError | None,
    logged: list[str],
) -> None:
    monkeypatch.setattr(stored_session, "QUIET_SECONDS", 0)
    asked: list[object] = []

    def clean(home: object, settings: object) -> Cleaned | None:
        asked.append((home, settings))
        if isinstance(result, StoreError):
            raise result
        return result

    monkeypatch.setattr(cleaning, "clean", clean)
    with caplog.at_level("INFO", "code_core"):
        anyio.run(stored(desk).clean)
    assert asked == [(desk.home, cleaning_settings(Storage()))]
    assert [record.getMessage() for record in caplog.records] == logged


def test_cleaning_waits_until_a_session_has_started_and_no_session_waits_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = anyio.Event(), threading.Event()

    def clean(_home: object, _settings: object) -> None:
        anyio.from_thread.run_sync(began.set)
        may_end.wait(5)

    async def main() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                start = anyio.current_time()
                tasks.start_soon(stored(desk).clean)
                await began.wait()
                assert anyio.current_time() - start >= 0.1
                tasks.cancel_scope.cancel()
            assert not may_end.is_set()

    monkeypatch.setattr(cleaning, "clean", clean)
    monkeypatch.setattr(stored_session, "QUIET_SECONDS", 0.1)
    try:
        anyio.run(main)
    finally:
        may_end.set()
