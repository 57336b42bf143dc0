import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from code_core.store import lock
from code_core.store.errors import LocksUnsupported, SessionInUse, StoreError
from code_core.store.lock import Holder, acquire, holder_of, lock_path
from core.store.samples import ID

HOLD = """
import sys
from pathlib import Path
from code_core.store.lock import acquire
held = acquire(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def other_process(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A process that holds the lock until its stdin is closed."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), ID]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate(timeout=60)


def write_holder(home: Path, **changes: object) -> None:
    us = Holder.this_process()
    fields = {"pid": us.pid, "started": us.started, "host": us.host, "since": us.since}
    path = lock_path(home, ID)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(fields | changes))


def test_a_second_process_gets_an_error_that_names_the_holder(
    tmp_path: Path, other_process: subprocess.Popen[bytes]
) -> None:
    with pytest.raises(
        SessionInUse, match=rf"is open in process {other_process.pid}, since 20.* UTC: .* fork"
    ):
        acquire(tmp_path, ID)
    holder = holder_of(tmp_path, ID)
    assert holder is not None
    assert holder.pid == other_process.pid
    assert holder.alive
    end(other_process)
    assert not holder.alive


def test_the_lock_of_a_dead_process_is_taken_over(
    tmp_path: Path, other_process: subprocess.Popen[bytes]
) -> None:
    end(other_process)
    assert lock_path(tmp_path, ID).exists()
    assert holder_of(tmp_path, ID) is None
    held = acquire(tmp_path, ID)
    assert held.warning is None
    assert json.loads(lock_path(tmp_path, ID).read_bytes())["pid"] == os.getpid()
    held.release()
    assert not lock_path(tmp_path, ID).exists()


def test_a_session_can_be_opened_only_once_within_a_process(tmp_path: Path) -> None:
    held = acquire(tmp_path, ID)
    with pytest.raises(SessionInUse, match="this process"):
        acquire(tmp_path, ID)
    held.release()
    held.release()
    acquire(tmp_path, ID).release()


def test_a_lock_whose_file_was_replaced_is_not_deleted(tmp_path: Path) -> None:
    held = acquire(tmp_path, ID)
    lock_path(tmp_path, ID).unlink()
    other = acquire(tmp_path, ID)
    held.release()
    assert lock_path(tmp_path, ID).exists()
    with pytest.raises(SessionInUse):
        acquire(tmp_path, ID)
    other.release()


def test_querying_the_holder_never_blocks_a_lock(tmp_path: Path) -> None:
    """A glance takes a shared lock for a moment, and an attempt to lock waits for it."""
    acquire(tmp_path, ID)  # leaves no reference, but the file stays open until it is collected
    lock_path(tmp_path, ID).unlink()
    lock_path(tmp_path, ID).touch(0o600)
    descriptor = os.open(lock_path(tmp_path, ID), os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("time.sleep", lambda _seconds: os.close(descriptor))
        acquire(tmp_path, ID).release()


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", fails)


@pytest.mark.usefixtures("without_locks")
def test_without_locks_the_user_is_warned(tmp_path: Path) -> None:
    held = acquire(tmp_path, ID)
    assert held.warning is not None
    assert "does not support locks (No locks available)" in held.warning
    with pytest.raises(SessionInUse, match="this process"):
        acquire(tmp_path, ID)
    held.release()
    acquire(tmp_path, ID).release()
    with pytest.raises(LocksUnsupported, match="CODE_HOME"):
        acquire(tmp_path, ID, weak=False)


@pytest.mark.usefixtures("without_locks")
@pytest.mark.parametrize(
    "changes", [{"pid": 2**22 + 1}, {"started": "another boot 1"}, {"pid": "x"}, {"since": None}]
)
def test_without_locks_a_dead_holder_is_taken_over(changes: dict[str, object], tmp_path: Path) -> None:
    """Even if its pid is reused, here by this process."""
    write_holder(tmp_path, **changes)
    acquire(tmp_path, ID).release()


@pytest.mark.usefixtures("without_locks")
def test_without_locks_a_holder_on_another_host_counts_as_running(tmp_path: Path) -> None:
    write_holder(tmp_path, host="elsewhere", pid=7)
    with pytest.raises(SessionInUse, match=r"process 7 on elsewhere.*delete .*\.lock"):
        acquire(tmp_path, ID)


def test_an_unwritable_home_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("in the way")
    with pytest.raises(StoreError, match="cannot lock the session"):
        acquire(tmp_path, ID)


def test_a_lock_file_that_is_a_link_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "precious").write_text("x")
    lock_path(tmp_path, ID).symlink_to(tmp_path / "precious")
    with pytest.raises(StoreError, match="cannot lock"):
        acquire(tmp_path, ID)
    assert (tmp_path / "precious").read_text() == "x"


def test_processes_have_different_start_times(other_process: subprocess.Popen[bytes]) -> None:
    assert lock.process_start(os.getpid()) == lock.process_start(os.getpid())
    with other_process:
        assert lock.process_start(os.getpid()) != lock.process_start(other_process.pid)
    assert lock.process_start(2**22 + 1) == ""
