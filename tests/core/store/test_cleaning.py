import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from code_core.store import lock
from code_core.store.cleaning import CleaningSettings, Limit, clean
from code_core.store.errors import SessionInUse
from code_core.store.layout import outputs_of
from core.store.samples import ID, OTHER_ID, items, user, write_rollout

DAY = 86_400.0
NEVER = Limit(None, None)
OUTPUTS = CleaningSettings(outputs=Limit(30, 1), checkpoints=NEVER, hours=0)

HOLD = """
import sys
from pathlib import Path
from code_core.store.sessions import SessionStore
opened = SessionStore(Path(sys.argv[1])).create(sys.argv[2], {"cwd": "/"})
print("open", flush=True)
sys.stdin.read()
"""


def session_id(number: int) -> str:
    return f"{number:08x}-2222-4333-8444-555555555555"


def write_outputs(home: Path, session: str, days: float, size: int = 10) -> Path:
    directory = outputs_of(home, session)
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "call.txt").write_bytes(b"x" * size)
    when = time.time() - days * DAY
    for path in (directory / "deep" / "call.txt", directory / "deep", directory):
        os.utime(path, (when, when))
    return directory


def test_old_data_is_deleted(tmp_path: Path) -> None:
    old, young = write_outputs(tmp_path, ID, 31), write_outputs(tmp_path, OTHER_ID, 29)
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert (done.deleted, done.bytes, done.in_use, done.failed) == (1, 10, 0, [])
    assert not old.exists()
    assert young.exists()


def test_the_oldest_data_is_deleted_above_the_size_limit(tmp_path: Path) -> None:
    kept = [write_outputs(tmp_path, session_id(number), number, 300_000) for number in range(1, 6)]
    clean(tmp_path, OUTPUTS)
    assert [path.exists() for path in kept] == [True, True, True, False, False]


def test_one_recent_file_keeps_an_old_directory(tmp_path: Path) -> None:
    directory = write_outputs(tmp_path, ID, 100)
    os.utime(directory / "deep" / "call.txt")  # written to just now; the directories keep their times
    clean(tmp_path, OUTPUTS)
    assert directory.exists()


def test_recent_data_is_kept_whatever_its_size(tmp_path: Path) -> None:
    directory = write_outputs(tmp_path, ID, 0.5 / 24, 3_000_000)
    clean(tmp_path, OUTPUTS)
    assert directory.exists()


def test_data_of_an_open_session_is_kept(tmp_path: Path) -> None:
    directory = write_outputs(tmp_path, ID, 100)
    command = [sys.executable, "-c", HOLD, str(tmp_path), ID]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"open\n"
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert (done.deleted, done.in_use) == (0, 1)
    assert directory.exists()
    child.communicate(b"", timeout=60)
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert done.deleted == 1
    assert not directory.exists()


def test_data_of_a_dead_process_is_not_protected(tmp_path: Path) -> None:
    directory = write_outputs(tmp_path, ID, 100)
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.communicate(timeout=60)
    clean(tmp_path, OUTPUTS)
    assert not directory.exists()


def test_sessions_are_kept_unless_configured_otherwise(tmp_path: Path) -> None:
    path = write_rollout(tmp_path, items(user("hello")))
    os.utime(path, (0, 0))
    clean(tmp_path)
    assert path.exists()
    done = clean(
        tmp_path, CleaningSettings(outputs=NEVER, checkpoints=NEVER, sessions=Limit(365, None), hours=0)
    )
    assert done is not None
    assert done.deleted == 1
    assert not path.exists()


def test_the_cleaning_runs_every_six_hours_whatever_the_clock_does(tmp_path: Path) -> None:
    now = time.time()
    assert clean(tmp_path, clock=lambda: now) is not None
    assert clean(tmp_path, clock=lambda: now + 5 * 3600) is None
    assert clean(tmp_path, clock=lambda: now + 7 * 3600) is not None
    assert clean(tmp_path, clock=lambda: now - 100 * DAY) is not None


def test_one_process_cleans_at_a_time(tmp_path: Path) -> None:
    write_outputs(tmp_path, ID, 100)
    (tmp_path / "locks").mkdir()
    stamp = tmp_path / "locks" / "cleaning"
    script = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(1, flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(stamp)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    assert clean(tmp_path, OUTPUTS) is None
    child.communicate(b"", timeout=60)


def test_a_run_does_limited_work_and_the_next_one_continues(tmp_path: Path) -> None:
    for number in range(10):
        write_outputs(tmp_path, session_id(number), 100)
    settings = CleaningSettings(outputs=Limit(30, None), hours=0, most=4)
    assert [done.deleted for done in (clean(tmp_path, settings) for _ in range(4)) if done] == [4, 4, 2, 0]


def test_a_run_has_a_time_limit(tmp_path: Path) -> None:
    for number in range(10):
        write_outputs(tmp_path, session_id(number), 100)
    done = clean(tmp_path, CleaningSettings(hours=0, seconds=0))
    assert done is not None
    assert done.deleted == 0


def test_links_are_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    directory = write_outputs(tmp_path, ID, 100)
    (directory / "link").symlink_to(precious)
    os.utime(directory / "link", (0, 0), follow_symlinks=False)
    os.utime(directory, (0, 0))
    outputs_of(tmp_path, OTHER_ID).symlink_to(precious)
    clean(tmp_path, OUTPUTS)
    assert not directory.exists()
    assert (precious / "file").exists()


def test_failed_deletions_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_outputs(tmp_path, ID, 100)

    def fails(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", fails)
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert done.deleted == 0
    assert [text.endswith("Permission denied") for text in done.failed] == [True]


def test_only_locks_of_dead_processes_are_deleted(tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    held = lock.acquire(tmp_path, ID)
    for name in (f"{OTHER_ID}.lock", f"{session_id(1)}.lock", "something else"):
        (locks / name).write_text("{}")
    old = time.time() - DAY
    for name in (f"{ID}.lock", f"{OTHER_ID}.lock", "something else"):
        os.utime(locks / name, (old, old))
    clean(tmp_path)
    assert {path.name for path in locks.iterdir()} == {
        f"{ID}.lock",  # its process lives
        f"{session_id(1)}.lock",  # it is young
        "something else",
        "cleaning",
    }
    with pytest.raises(SessionInUse):
        lock.acquire(tmp_path, ID)
    held.release()


def test_a_session_is_not_locked_while_its_files_are_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write_outputs(tmp_path, ID, 100)
    rmtree = shutil.rmtree

    def opens_meanwhile(path: Path) -> None:
        lock.acquire(tmp_path, ID).release()
        outputs_of(tmp_path, ID).mkdir()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("shutil.rmtree", opens_meanwhile)
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert [text.endswith("Input/output error") for text in done.failed] == [True]
    assert directory.exists()  # the new one
    monkeypatch.setattr("shutil.rmtree", rmtree)
    done = clean(tmp_path, OUTPUTS)
    assert done is not None
    assert (done.deleted, done.bytes) == (1, 10)
    assert [path.name for path in directory.parent.iterdir()] == [ID]
