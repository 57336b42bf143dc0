import os
import sqlite3
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from code_core.store import head
from code_core.store.catalog import Catalog
from code_core.store.entries import EventEntry, TurnContext
from code_core.store.errors import AmbiguousSession, SessionNotFound, StoreError
from code_core.store.layout import RolloutStat
from code_core.store.listing import Query
from code_core.store.record import SessionRecord
from core.store.samples import ID, OTHER_ID, items, user, write_rollout

BEGAN = datetime(2026, 1, 1).astimezone()


def session_id(number: int) -> str:
    return str(UUID(int=(number << 96) | 1))


def write_sessions(home: Path, count: int) -> list[Path]:
    paths = []
    for number in range(count):
        when = BEGAN + timedelta(hours=5 * number)
        entries = [TurnContext({"model": f"m{number % 2}"}), *items(user(f"Fix bug {number}, bitte Straße"))]
        path = write_rollout(home, entries, session_id(number), when, cwd=f"/w/{number % 3}", source="cli")
        os.utime(path, (when.timestamp(), when.timestamp()))
        paths.append(path)
    return paths


def ids(catalog: Catalog, **query: object) -> list[int]:
    return [int(record.id[:8], 16) for record in catalog.list(Query(**query)).sessions]  # type: ignore[arg-type]


def test_the_newest_sessions_come_first(tmp_path: Path) -> None:
    write_sessions(tmp_path, 5)
    record = Catalog(tmp_path).list().sessions[0]
    assert (record.id, record.cwd, record.model, record.source) == (session_id(4), "/w/1", "m0", "cli")
    assert record.preview == "Fix bug 4, bitte Straße"
    assert record.title == record.preview
    assert record.bytes == record.path.stat().st_size
    assert record.created.endswith("Z")
    assert ids(Catalog(tmp_path)) == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("order", ["updated", "created"])
def test_pages_give_every_session_once(order: str, tmp_path: Path) -> None:
    paths = write_sessions(tmp_path, 11)
    for path in paths[:6]:
        os.utime(path, (1, 1))  # the same time, from a stopped clock
    catalog = Catalog(tmp_path)
    seen: list[str] = []
    cursor = None
    while True:
        page = catalog.list(Query(limit=3, cursor=cursor, order=order))  # type: ignore[arg-type]
        seen += [record.id for record in page.sessions]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [session_id(number) for number in range(11)]


@pytest.mark.parametrize("cursor", ["", "zz", "5b5d", b'["updated",1]'.hex(), b'["created","a","b"]'.hex()])
def test_an_invalid_cursor_is_rejected(cursor: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a cursor"):
        Catalog(tmp_path).list(Query(cursor=cursor))


def test_filters_of_lists(tmp_path: Path) -> None:
    write_sessions(tmp_path, 6)
    catalog = Catalog(tmp_path)
    assert ids(catalog, cwd=Path("/w/1")) == [4, 1]
    assert ids(catalog, search="BUG 3,") == [3]
    assert ids(catalog, search="STRASSE") == [5, 4, 3, 2, 1, 0]
    assert ids(catalog, search=session_id(2)[:8]) == [2]
    assert ids(catalog, search="/w/0") == [3, 0]
    assert ids(catalog, search="100%") == []
    assert ids(catalog, limit=2) == [5, 4]
    assert ids(catalog, archived=True) == []


def test_sessions_without_a_turn_are_listed_on_request_only(tmp_path: Path) -> None:
    write_rollout(tmp_path, [EventEntry.task_started("t")])
    catalog = Catalog(tmp_path)
    assert catalog.list().sessions == ()
    assert [record.title for record in catalog.list(Query(empty=True)).sessions] == [ID]
    assert catalog.find(ID).preview == ""


def test_a_session_with_only_queued_input_is_listed(tmp_path: Path) -> None:
    waiting = EventEntry({"type": "input_queued", "id": "a", "items": [{"type": "text", "text": "do  it"}]})
    write_rollout(tmp_path, [waiting])
    assert [one.preview for one in Catalog(tmp_path).list().sessions] == ["do it"]
    write_rollout(tmp_path, [EventEntry({"type": "input_queued", "id": "a", "items": "?"})], OTHER_ID)
    assert len(Catalog(tmp_path).list().sessions) == 1


def test_only_changed_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = write_sessions(tmp_path, 4)
    catalog = Catalog(tmp_path)
    catalog.list()
    read: list[str] = []
    read_record = head.read_record

    def recording(rollout: RolloutStat) -> SessionRecord:
        read.append(rollout.id)
        return read_record(rollout)

    monkeypatch.setattr(head, "read_record", recording)
    catalog.list()
    assert read == []
    with paths[0].open("ab") as file:
        file.write(b"{}\n")
    assert ids(catalog) == [0, 3, 2, 1]
    assert read == []
    paths[3].unlink()
    write_rollout(tmp_path, items(user("new")), OTHER_ID)
    assert [record.title for record in catalog.list().sessions][:2] == ["new", "Fix bug 0, bitte Straße"]
    assert read == [OTHER_ID]
    paths[1].replace(paths[2])
    catalog.list()
    assert len(read) == 2


def test_the_first_turn_of_a_listed_session_is_noticed(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, [])
    catalog = Catalog(tmp_path)
    assert catalog.list().sessions == ()
    write_rollout(tmp_path / "other", items(user("hello")))
    path.write_bytes(next((tmp_path / "other").rglob("*.jsonl")).read_bytes())
    assert catalog.list().sessions[0].preview == "hello"


def test_a_file_that_became_shorter_is_read_again(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("a long first message")))
    catalog = Catalog(tmp_path)
    catalog.list()
    path.write_bytes(path.read_bytes().replace(b"a long first message", b"short"))
    assert catalog.list().sessions[0].preview == "short"


def test_the_last_session_is_found(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    assert catalog.last() is None
    write_sessions(tmp_path, 6)
    last, of_directory = catalog.last(), catalog.last(Path("/w/1"))
    assert last is not None
    assert of_directory is not None
    assert (last.id, of_directory.id) == (session_id(5), session_id(4))
    assert catalog.last(Path("/elsewhere")) is None


def test_a_session_is_found_by_id_prefix_name_or_path(tmp_path: Path) -> None:
    paths = write_sessions(tmp_path, 3)
    catalog = Catalog(tmp_path)
    catalog.rename(catalog.find(session_id(2)), "  Fix\tthe ß parser ")
    for reference in (
        session_id(2),
        session_id(2).upper(),
        session_id(2)[:8],
        "fix the SS parser",
        str(paths[2]),
    ):
        assert catalog.find(reference).id == session_id(2), reference
    assert catalog.find(session_id(2)).name == "Fix the ß parser"


@pytest.mark.parametrize(
    "reference", ["", " ", "zz", "000", "abcdef", "no such", OTHER_ID, "x" * 10_000, "a\0b", "ä\ud800"]
)
def test_a_session_that_is_not_stored_is_not_found(reference: str, tmp_path: Path) -> None:
    write_sessions(tmp_path, 3)
    with pytest.raises(SessionNotFound) as caught:
        Catalog(tmp_path).find(reference)
    assert len(str(caught.value)) < 300


def test_a_missing_path_is_not_found(tmp_path: Path) -> None:
    for reference in ("/no/such", "x.jsonl", "/a\0b", "/" + "x" * 5_000):
        with pytest.raises(StoreError):
            Catalog(tmp_path).find(reference)


def test_a_rollout_elsewhere_is_found_by_its_path(tmp_path: Path) -> None:
    path = write_rollout(tmp_path / "elsewhere", items(user("hello")))
    assert Catalog(tmp_path / "home").find(str(path)).id == ID


def test_a_reference_that_matches_several_sessions_is_ambiguous(tmp_path: Path) -> None:
    write_sessions(tmp_path, 8)
    catalog = Catalog(tmp_path)
    with pytest.raises(AmbiguousSession) as caught:
        catalog.find("0000")
    assert len(str(caught.value).splitlines()) == 6
    for number in (1, 2):
        catalog.rename(catalog.find(session_id(number)), "same")
    with pytest.raises(AmbiguousSession, match="called 'same'"):
        catalog.find("same")


def test_names_can_be_changed_and_removed(tmp_path: Path) -> None:
    write_sessions(tmp_path, 2)
    catalog = Catalog(tmp_path)
    for name in ("one", "two", ""):
        catalog.rename(catalog.find(session_id(1)), name)
        assert catalog.find(session_id(1)).name == name
    assert ids(catalog, search="two") == []
    with (tmp_path / "session_index.jsonl").open("ab") as file:
        file.write(
            b'{"id": 1}\nnot json\n{"id":"' + session_id(0).encode() + b'","thread_name":"by Codex"}\n{"half'
        )
    assert catalog.find("by codex").id == session_id(0)
    catalog.rename(catalog.find(session_id(1)), "three")
    assert catalog.find("three").id == session_id(1)


def test_the_index_is_private(tmp_path: Path) -> None:
    write_sessions(tmp_path, 2)
    Catalog(tmp_path).list()
    for path in tmp_path.glob("*.sqlite*"):
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "middle", "directory", "link"])
def test_a_damaged_index_is_rebuilt(damage: str, tmp_path: Path) -> None:
    write_sessions(tmp_path, 50)
    Catalog(tmp_path).list()
    (path,) = tmp_path.glob("*.sqlite")
    data = path.read_bytes()
    match damage:
        case "garbage":
            path.write_bytes(b"garbage" * 1000)
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "middle":
            path.write_bytes(data[:4096] + b"\xff" * (len(data) - 8192) + data[-4096:])
        case "directory":
            path.unlink()
            path.mkdir()
        case "link":
            path.unlink()
            path.symlink_to(tmp_path / "elsewhere")
    assert len(ids(Catalog(tmp_path), limit=100)) == 50
    assert len(ids(Catalog(tmp_path), limit=100)) == 50
    assert not (tmp_path / "elsewhere").exists()


def test_a_locked_index_is_awaited_and_then_bypassed(tmp_path: Path) -> None:
    write_sessions(tmp_path, 3)
    catalog = Catalog(tmp_path)
    catalog.list()
    (path,) = tmp_path.glob("*.sqlite")
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    write_rollout(tmp_path, items(user("new")), OTHER_ID)
    assert len(catalog.list().sessions) == 4
    writer.execute("ROLLBACK")
    writer.close()
    assert len(catalog.list().sessions) == 4


READ_ONLY = """
import logging, os, sys
from pathlib import Path
import code_core.store.head, code_core.store.listing
from code_core.store.catalog import Catalog
os.setuid(65534)
home = Path(sys.argv[1])
print(len(Catalog(home).list().sessions))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become a user who may not write")
@pytest.mark.parametrize("indexed", [False, True])
def test_sessions_of_an_unwritable_home_are_listed(indexed: bool) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        home = Path(folder) / "home"
        write_sessions(home, 3)
        if indexed:
            Catalog(home).list()
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, 65534, 65534)
            path.chmod(0o555 if path.is_dir() else 0o444)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(home)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip() == "3", done.stderr
        assert len(list(home.glob("*.sqlite*"))) == (1 if indexed else 0)


def test_two_homes_are_listed_together(tmp_path: Path) -> None:
    write_rollout(tmp_path / "code", items(user("ours")), ID)
    write_rollout(tmp_path / "codex", items(user("theirs")), OTHER_ID)
    catalog = Catalog(tmp_path / "code", [tmp_path / "codex"])
    assert {record.preview for record in catalog.list().sessions} == {"ours", "theirs"}
    assert not list((tmp_path / "codex").glob("*.sqlite*"))


def test_unusual_texts_and_paths_are_listed(tmp_path: Path) -> None:
    home = tmp_path / os.fsdecode(b"h\xff me")
    write_rollout(home, items(user("a\ud800b\n\n c")), cwd="/w\udcff")
    catalog = Catalog(home)
    for _ in range(2):
        (record,) = catalog.list().sessions
        assert record.preview == "a?b c"
        assert record.path.exists()
    assert catalog.find(ID).path == record.path
    assert catalog.find(str(record.path)).id == ID


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("hello")))
    for name in ("notes.txt", "rollout-x.jsonl", "rollout-2026-01-01T00-00-00-nothex.jsonl"):
        path.with_name(name).write_text("x")
    path.with_name(path.name.replace(ID, OTHER_ID)).symlink_to(path)
    assert len(Catalog(tmp_path).list(Query(empty=True)).sessions) == 1
