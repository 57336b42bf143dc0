import fcntl
import json
import subprocess
import sys
from pathlib import Path

import pytest

from code_core.store.errors import StoreError
from code_core.store.message_history import HistoryEntry, HistoryLog, MessageHistory

APPEND = """
import sys
from pathlib import Path
from code_core.store.message_history import MessageHistory
history = MessageHistory(Path(sys.argv[1]), int(sys.argv[3]))
for number in range(100):
    history.append(sys.argv[2], f"{number} " + "x" * 50, number)
"""


def test_entries_are_addressed_by_log_and_number(tmp_path: Path) -> None:
    history = MessageHistory(tmp_path)
    assert history.log() == HistoryLog(0, 0)
    assert history.entry(0, 0) is None
    for number, text in enumerate(["one", "two\nlines", "ä\ud800"]):
        history.append("s", text, 10.7 + number)
    log = history.log()
    assert log.count == 3
    assert history.entry(log.log_id, 1) == HistoryEntry("s", 11, "two\nlines")
    assert history.entry(log.log_id, 2) == HistoryEntry("s", 12, "ä\ud800")
    for log_id, offset in ((log.log_id, 3), (log.log_id, -1), (log.log_id + 1, 0)):
        assert history.entry(log_id, offset) is None
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), name, str(2**20)]) for name in "ab"
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    entries = [json.loads(line) for line in (tmp_path / "history.jsonl").read_bytes().splitlines()]
    for name in "ab":
        assert [entry["ts"] for entry in entries if entry["session_id"] == name] == list(range(100))


def test_two_processes_trim_safely(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", APPEND, str(tmp_path), name, "5000"]) for name in "ab"
    ]
    assert [child.wait(60) for child in children] == [0, 0]
    path = tmp_path / "history.jsonl"
    assert path.stat().st_size <= 5000
    entries = [json.loads(line) for line in path.read_bytes().splitlines()]
    last = {entry["session_id"]: entry["ts"] for entry in entries}
    assert 99 in last.values()
    for name in last:
        times = [entry["ts"] for entry in entries if entry["session_id"] == name]
        assert times == list(range(times[0], 100))
    assert list(tmp_path.glob(".history*")) == []


def test_a_trim_keeps_the_newest_and_gives_the_log_a_new_id(tmp_path: Path) -> None:
    history = MessageHistory(tmp_path, 1000)
    history.append("s", "first", 0)
    before = history.log()
    for number in range(40):
        history.append("s", f"text {number}", number)
        log = history.log()
        entry = history.entry(log.log_id, log.count - 1)
        assert entry is not None
        assert entry.text == f"text {number}"
        assert history.path.stat().st_size <= 1000
    assert history.log().log_id != before.log_id or history.log().count < 41
    assert history.path.stat().st_mode & 0o777 == 0o600


def test_an_incomplete_line_costs_only_that_line(tmp_path: Path) -> None:
    history = MessageHistory(tmp_path)
    history.append("s", "one", 0)
    with history.path.open("ab") as file:
        file.write(b'{"session_id": "s", "te')
    history.append("s", "two", 0)
    log = history.log()
    assert [history.entry(log.log_id, number) for number in range(3)] == [
        HistoryEntry("s", 0, "one"),
        None,
        HistoryEntry("s", 0, "two"),
    ]


def test_a_text_larger_than_the_limit_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="too long"):
        MessageHistory(tmp_path, 100).append("s", "x" * 100, 0)


def test_a_held_lock_is_awaited_for_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = MessageHistory(tmp_path)
    history.append("s", "one", 0)
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    with history.path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="locked"):
            history.append("s", "two", 0)
    assert sum(pauses) == pytest.approx(1)
    history.append("s", "three", 0)
    assert history.log().count == 2


def test_an_unwritable_home_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").mkdir()
    with pytest.raises(StoreError, match="cannot write"):
        MessageHistory(tmp_path).append("s", "one", 0)
    assert MessageHistory(tmp_path).log() == HistoryLog(0, 0)


def test_a_file_that_is_trimmed_while_we_wait_for_its_lock_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = MessageHistory(tmp_path)
    history.append("s", "one", 0)
    flock = fcntl.flock

    def trimmed_meanwhile(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        data = history.path.read_bytes()
        history.path.unlink()
        history.path.write_bytes(data)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", trimmed_meanwhile)
    history.append("s", "two", 0)
    assert history.log().count == 2
