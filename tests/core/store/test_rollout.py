import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from code_core.store.entries import ItemEntry, SessionMeta
from code_core.store.errors import JournalError
from code_core.store.rollout import RolloutFile
from core.store.samples import ID, assistant, items, user, write_rollout


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_nothing_is_created_before_the_first_entry(tmp_path: Path) -> None:
    path = tmp_path / "home" / "sessions" / "a.jsonl"
    file = RolloutFile(path, SessionMeta({"id": ID}))
    assert not (tmp_path / "home").exists()
    file.write(items(user("hello")))
    assert [line["type"] for line in lines_of(path)] == ["session_meta", "response_item"]


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = write_rollout(tmp_path / "home", items(user("hello")))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for parent in path.relative_to(tmp_path).parents[:-1]:
        assert stat.S_IMODE((tmp_path / parent).stat().st_mode) == 0o700, parent


def test_each_line_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    write = os.write

    def recording(descriptor: int, data: bytes) -> int:
        written.append(bytes(data))
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", recording)
    write_rollout(tmp_path, items(user("one"), assistant("two")))
    assert len(written) == 3
    assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in written)


def test_a_short_write_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    path = write_rollout(tmp_path, items(user("one"), assistant("two")))
    assert len(lines_of(path)) == 3


def failing_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Make the disk full after `count` bytes."""
    write = os.write
    left = [count]

    def limited(descriptor: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(28, "No space left on device")
        written = write(descriptor, data[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(os, "write", limited)


@pytest.mark.parametrize("taken", [0, 1, 50, 138, 139])
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_it_intact(taken: int, tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("one")))
    before = path.read_bytes()
    file = RolloutFile(path, None)
    with pytest.MonkeyPatch.context() as monkeypatch:
        failing_after(monkeypatch, taken)
        with pytest.raises(
            JournalError, match=r"cannot write the session to .*: No space left on device\. .*free space"
        ):
            file.write(items(user("is lost" * 20)))
        assert path.read_bytes() == before
    file.write(items(user("two")))
    assert [line["payload"]["content"][0]["text"] for line in lines_of(path)[1:]] == ["one", "two"]


def test_several_entries_are_written_all_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = RolloutFile(path, SessionMeta({"id": ID}), next_ordinal=0)
    entries = items(user("one"), user("two"), user("three"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        failing_after(monkeypatch, 400)
        with pytest.raises(JournalError):
            file.write(entries)
        assert path.read_bytes() == b""
    file.write(entries)
    assert [line["ordinal"] for line in lines_of(path)] == [0, 1, 2, 3]


def test_an_incomplete_line_that_cannot_be_removed_is_ended_by_the_next_one(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("one")))
    file = RolloutFile(path, None)
    with pytest.MonkeyPatch.context() as monkeypatch:
        failing_after(monkeypatch, 50)
        monkeypatch.setattr(
            os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error"))
        )
        with pytest.raises(JournalError):
            file.write(items(user("is lost")))
    file.write(items(user("two")))
    lines = path.read_bytes().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[3])["payload"] == user("two")


def test_a_file_that_ends_with_an_incomplete_line_continues_on_a_new_line(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("one"), user("torn")))
    path.write_bytes(path.read_bytes()[:-20])
    RolloutFile(path, None).write(items(user("two")))
    lines = path.read_bytes().splitlines()
    assert json.loads(lines[-1])["payload"] == user("two")
    assert len(lines) == 4


def test_a_file_that_was_deleted_is_noticed(tmp_path: Path) -> None:
    file = RolloutFile(write_rollout(tmp_path, items(user("one"))), None)
    file.write(items(user("two")))
    file.path.unlink()
    with pytest.raises(JournalError, match="deleted"):
        file.write(items(user("three")))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    link = tmp_path / "link.jsonl"
    link.symlink_to(target)
    with pytest.raises(JournalError, match="cannot write"):
        RolloutFile(link, None).write(items(user("one")))
    assert target.read_bytes() == b""


def test_a_fifo_is_rejected_immediately(tmp_path: Path) -> None:
    path = tmp_path / "fifo.jsonl"
    os.mkfifo(path)
    with pytest.raises(JournalError, match="regular file"):
        RolloutFile(path, None).write(items(user("one")))


def test_another_users_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_rollout(tmp_path, items(user("one")))
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(JournalError, match="another user"):
        RolloutFile(path, None).write(items(user("two")))


def test_values_that_json_cannot_express_leave_the_file_unchanged(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("one")))
    before = path.read_bytes()
    with pytest.raises(JournalError, match="not JSON"):
        RolloutFile(path, None).write([ItemEntry({"value": object()})])
    assert path.read_bytes() == before


def test_timestamps_never_decrease_when_the_clock_is_set_back(tmp_path: Path) -> None:
    times = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=offset) for offset in (10, 5, 20))
    file = RolloutFile(tmp_path / "a.jsonl", SessionMeta({"id": ID}), clock=lambda: next(times))
    file.write(items(user("one"), user("two")))
    stamps = [line["timestamp"] for line in lines_of(file.path)]
    assert stamps == ["2026-01-01T00:00:10.000Z", "2026-01-01T00:00:10.000Z", "2026-01-01T00:00:20.000Z"]


def test_a_closed_file_accepts_no_entries(tmp_path: Path) -> None:
    file = RolloutFile(write_rollout(tmp_path, items(user("one"))), None)
    file.close()
    file.close()
    with pytest.raises(JournalError, match="closed"):
        file.write(items(user("two")))


def test_a_limit_on_file_sizes_is_an_error_not_a_signal(tmp_path: Path) -> None:
    script = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from code_core.store.entries import ItemEntry, SessionMeta
from code_core.store.errors import JournalError
from code_core.store.rollout import RolloutFile
file = RolloutFile(Path(sys.argv[1]), SessionMeta({"id": "x"}))
written = 0
try:
    while True:
        file.write([ItemEntry({"text": "x" * 100})])
        written += 1
except JournalError as error:
    print(written, error)
"""
    path = tmp_path / "a.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    written, message = done.stdout.split(" ", 1)
    assert "File too large" in message
    assert len(lines_of(path)) == int(written) + 1


def test_an_unwritable_home_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "sessions").write_text("in the way")
    with pytest.raises(JournalError) as caught:
        write_rollout(tmp_path, items(user("one")))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
