import json
import os
from pathlib import Path

import pytest

from code_core.store.entries import Entry, EventEntry, TurnContext
from code_core.store.errors import RolloutUnreadable, SessionInUse, SessionNotFound, StoreError
from code_core.store.layout import checkpoints_of, outputs_of
from code_core.store.listing import Query
from code_core.store.restore import restore
from code_core.store.sessions import SessionStore
from core.store.samples import ID, OTHER_ID, assistant, items, texts, user, write_rollout


def turn(number: int) -> list[Entry]:
    begin: list[Entry] = [EventEntry.task_started(f"t{number}"), TurnContext({"model": "m"})]
    end: list[Entry] = [EventEntry.task_complete(f"t{number}", "done")]
    return [*begin, *items(user(f"question {number}"), assistant(f"answer {number}")), *end]


def turns(*numbers: int) -> list[Entry]:
    return [entry for number in numbers for entry in turn(number)]


def test_a_new_session_is_written_and_resumed(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    opened = store.create(ID, {"cwd": "/work", "source": "exec", "git": {"branch": "main"}})
    assert opened.restored is None
    assert opened.warning is None
    assert not (tmp_path / "sessions").exists()
    opened.file.write(turns(1))
    with pytest.raises(SessionInUse, match="this process"):
        store.resume(store.find(ID))
    opened.file.close()
    opened.lock.release()
    again = store.resume(store.find(ID))
    assert again.restored is not None
    assert texts(again.restored.items) == ["question 1", "answer 1"]
    meta = again.restored.meta.payload
    assert (meta["id"], meta["cwd"], meta["originator"], meta["source"]) == (ID, "/work", "code_py", "exec")
    before = again.file.path.read_bytes()
    again.file.write(turns(2))
    after = again.file.path.read_bytes()
    assert after.startswith(before)
    assert after.count(b"session_meta") == 1


@pytest.mark.parametrize("session_id", ["", "x", "../../etc", ID + "0", "a/b"])
def test_an_id_must_be_a_uuid(session_id: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="must be a UUID"):
        SessionStore(tmp_path).create(session_id, {})


def test_an_unreadable_session_is_not_left_locked(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    record = store.find(str(write_rollout(tmp_path, turns(1))))
    record.path.unlink()
    for _ in range(2):
        with pytest.raises(RolloutUnreadable, match="No such file"):
            store.resume(record)


@pytest.mark.parametrize(("dropped", "kept"), [(0, [1, 2, 3]), (1, [1, 2]), (2, [1]), (3, [])])
def test_a_fork_continues_from_a_turn(dropped: int, kept: list[int], tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    source = store.find(str(write_rollout(tmp_path, turns(1, 2, 3))))
    before = source.path.read_bytes()
    path = store.fork(source, OTHER_ID, dropped)
    restored = restore(path)
    assert [text for text in texts(restored.items) if "question" in text] == [
        f"question {number}" for number in kept
    ]
    assert restored.notes == ()
    assert (restored.meta.id, restored.meta.forked_from) == (OTHER_ID, ID)
    assert source.path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes().count(b"session_meta") == 1
    assert path.read_bytes().count(b"task_started") == len(kept)


def test_a_fork_does_not_count_rolled_back_turns(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    entries = [*turns(1, 2, 3), EventEntry.rolled_back(2), *turns(4)]
    source = store.find(str(write_rollout(tmp_path, entries)))
    assert texts(restore(store.fork(source, OTHER_ID, 1)).items) == ["question 1", "answer 1"]
    with pytest.raises(StoreError, match="it has fewer"):
        store.fork(source, "22222222-2222-4333-8444-555555555555", 3)


def test_a_fork_of_an_open_session_with_an_incomplete_line_can_be_resumed(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    path = write_rollout(tmp_path, turns(1))
    with path.open("ab") as file:
        file.write(b'{"timestamp":"2026')
    opened = store.resume(path)
    fork = store.fork(store.find(ID), OTHER_ID)
    assert restore(fork).notes == ()
    forked = store.resume(fork)
    forked.file.write(turns(2))
    assert len(restore(fork).items) == 4
    opened.lock.release()


def test_a_failed_fork_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SessionStore(tmp_path)
    source = store.find(str(write_rollout(tmp_path, turns(1))))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"cannot write the fork .*: No space left"):
        store.fork(source, OTHER_ID)
    assert len(list(tmp_path.rglob("*.jsonl"))) == 1


def test_archived_sessions_are_listed_separately_and_can_be_restored(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    path = write_rollout(tmp_path, turns(1))
    archived = store.archive(store.find(ID))
    assert archived.parent == tmp_path / "archived_sessions"
    assert store.list().sessions == ()
    assert [record.id for record in store.list(Query(archived=True)).sessions] == [ID]
    assert store.find(ID).archived
    assert store.unarchive(store.find(ID)) == path
    assert [record.archived for record in store.list(Query(archived=None)).sessions] == [False]


def test_deleting_removes_everything_of_the_session(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    write_rollout(tmp_path, turns(1))
    write_rollout(tmp_path, turns(1), OTHER_ID)
    for directory in (outputs_of(tmp_path, ID), checkpoints_of(tmp_path, ID), outputs_of(tmp_path, OTHER_ID)):
        directory.mkdir(parents=True)
        (directory / "file").touch()
    store.delete(store.find(ID))
    with pytest.raises(SessionNotFound):
        store.find(ID)
    assert not outputs_of(tmp_path, ID).exists()
    assert not checkpoints_of(tmp_path, ID).exists()
    assert outputs_of(tmp_path, OTHER_ID).exists()
    assert store.find(OTHER_ID).id == OTHER_ID


def test_an_open_session_is_not_moved_or_deleted(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    path = write_rollout(tmp_path, turns(1))
    opened = store.resume(path)
    record = store.find(ID)
    assert store.holder(record) is not None
    for change in (store.archive, store.unarchive, store.delete):
        with pytest.raises(SessionInUse):
            change(record)
    assert path.exists()
    opened.lock.release()
    assert store.holder(record) is None


def test_archiving_does_not_replace_another_file(tmp_path: Path) -> None:
    store = SessionStore(tmp_path)
    path = write_rollout(tmp_path, turns(1))
    (tmp_path / "archived_sessions").mkdir()
    (tmp_path / "archived_sessions" / path.name).write_text("precious")
    record = next(record for record in store.list(Query(archived=False, empty=True)).sessions)
    with pytest.raises(StoreError, match="exists"):
        store.archive(record)
    assert (tmp_path / "archived_sessions" / path.name).read_text() == "precious"


def test_every_line_of_a_session_is_json_that_other_programs_read(tmp_path: Path) -> None:
    opened = SessionStore(tmp_path).create(ID, {"cwd": "/work"})
    opened.file.write(turns(1))
    lines = [json.loads(line) for line in opened.file.path.read_text().splitlines()]
    assert all(list(line) == ["timestamp", "type", "payload"] for line in lines)
    assert lines[0]["payload"]["timestamp"].endswith("Z")
