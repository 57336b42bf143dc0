"""Trees and situations in which the undo of other agents loses files."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Left, restoring, tree
from code_core.store.checkpoints.entries import Entry
from core.store.checkpoints.test_checkpoints import state


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for name in ("a.txt", "deep/er/b.txt", "other/c.txt"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(f"{name} before")
    return work


@pytest.fixture
def checkpoints(tmp_path: Path, work: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", [work])


def begin(checkpoints: Checkpoints) -> None:
    checkpoints.begin_turn("t")
    checkpoints.before_command()


def undo(checkpoints: Checkpoints) -> tuple[Left, ...]:
    outcome = checkpoints.undo()
    assert outcome is not None
    return outcome.left


def test_pipes_sockets_and_devices_are_ignored_without_blocking(checkpoints: Checkpoints, work: Path) -> None:
    os.mkfifo(work / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(work / "socket"))
        begin(checkpoints)
        (work / "a.txt").unlink()
        os.mkfifo(work / "a.txt")
        checkpoints.end_turn()
    assert undo(checkpoints) == ()
    assert (work / "a.txt").read_text() == "a.txt before"


def test_a_huge_sparse_file_is_neither_read_nor_copied(
    checkpoints: Checkpoints, work: Path, tmp_path: Path
) -> None:
    with (work / "huge").open("wb") as file:
        file.truncate(2**40)
    started = time.monotonic()
    begin(checkpoints)
    os.truncate(work / "huge", 2**39)
    checkpoints.end_turn()
    assert undo(checkpoints) == (Left(str(work / "huge"), "it was not saved"),)
    assert time.monotonic() - started < 20
    assert sum(path.stat().st_size for path in (tmp_path / "checkpoints").iterdir()) < 10_000


def test_names_that_are_not_unicode(checkpoints: Checkpoints, work: Path) -> None:
    names = [b"\xff\xfe", b"new\nline", b"quote\"'", "ü".encode("latin-1"), b" ", b"-rf", b"x" * 255]
    for name in names:
        (work / os.fsdecode(name)).write_bytes(name)
    before = state(work)
    begin(checkpoints)
    for name in names:
        (work / os.fsdecode(name)).unlink()
    (work / os.fsdecode(b"new\xff")).symlink_to(os.fsdecode(b"\xfe\xff"))
    checkpoints.end_turn()
    assert undo(checkpoints) == ()
    assert state(work) == before


def test_links_that_lead_in_circles_or_out_of_the_tree_are_not_followed(
    checkpoints: Checkpoints, work: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("outside")
    (work / "circle").symlink_to(".")
    (work / "out").symlink_to(outside)
    before = state(work)
    begin(checkpoints)
    (work / "out" / "secret").write_text("changed outside")
    (work / "circle").unlink()
    assert checkpoints.end_turn() == (str(work / "circle"),)
    assert undo(checkpoints) == ()
    assert state(work) == before


def test_a_directory_that_becomes_a_link_while_it_is_listed_is_not_followed(
    checkpoints: Checkpoints, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("outside")
    folder = tree.Look.folder

    def swapping(self: tree.Look, directory: str, before: tree.Folder, most: int) -> tree.Folder | None:
        if directory == str(work / "other") and not (work / "other").is_symlink():
            shutil.rmtree(directory)
            (work / "other").symlink_to(outside)
        return folder(self, directory, before, most)

    monkeypatch.setattr(tree.Look, "folder", swapping)
    begin(checkpoints)
    (outside / "secret").write_text("changed")
    assert str(work / "other" / "secret") not in checkpoints.end_turn()
    assert b"outside" not in (tmp_path / "checkpoints" / "contents").read_bytes()


def test_a_link_planted_while_files_are_restored_is_not_followed(
    checkpoints: Checkpoints, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(checkpoints)
    (work / "other" / "c.txt").write_text("after")
    checkpoints.end_turn()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c.txt").write_text("outside")
    run = restoring._Restorer.run

    def swapping(self: restoring._Restorer) -> None:
        shutil.rmtree(work / "other")
        (work / "other").symlink_to(outside)
        run(self)

    monkeypatch.setattr(restoring._Restorer, "run", swapping)
    assert [left.path for left in undo(checkpoints)] == [str(work / "other" / "c.txt")]
    assert (outside / "c.txt").read_text() == "outside"


def test_an_interrupted_undo_is_completed_by_the_next_one(
    checkpoints: Checkpoints, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(work)
    begin(checkpoints)
    for path in ("a.txt", "deep/er/b.txt", "other/c.txt"):
        (work / path).write_text("after")
    (work / "new").write_text("new")
    checkpoints.end_turn()
    put = restoring._Restorer._put

    def dying(self: restoring._Restorer, path: str, entry: Entry) -> None:
        put(self, path, entry)
        if path.endswith("b.txt"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoring._Restorer, "_put", dying)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.undo()
    assert (work / "other" / "c.txt").read_text() == "after"
    assert undo(Checkpoints(tmp_path / "checkpoints", [work])) == ()
    assert state(work) == before


def test_the_users_commits_and_other_changes_in_the_repository_are_kept(
    checkpoints: Checkpoints, work: Path
) -> None:
    def git(*words: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        done = subprocess.run(["git", *who, *words], cwd=work, check=True, capture_output=True, text=True)
        return done.stdout

    git("init", "-q")
    git("add", "a.txt")
    git("commit", "-qm", "first")
    begin(checkpoints)
    (work / "deep" / "er" / "b.txt").write_text("after")
    checkpoints.end_turn()
    (work / "other" / "c.txt").write_text("the user's")
    git("add", "-A")
    git("commit", "-qm", "the user's commit")
    head = git("rev-parse", "HEAD")
    assert undo(checkpoints) == ()
    assert (work / "deep" / "er" / "b.txt").read_text() == "deep/er/b.txt before"
    assert (work / "other" / "c.txt").read_text() == "the user's"
    assert git("rev-parse", "HEAD") == head
    assert git("status", "--porcelain") == " M deep/er/b.txt\n"


def test_a_nested_repository_without_a_commit_does_no_harm(checkpoints: Checkpoints, work: Path) -> None:
    for directory in (work, work / "other"):
        subprocess.run(["git", "init", "-q"], cwd=directory, check=True)
    (work / "a.txt").write_text("version 2, by the user")
    before = state(work)
    begin(checkpoints)
    (work / "a.txt").write_text("version 3")
    (work / "other" / "c.txt").write_text("version 3")
    checkpoints.end_turn()
    assert undo(checkpoints) == ()
    assert state(work) == before


CLOSED = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from code_core.store.checkpoints import Checkpoints
base = Path(sys.argv[1])
(base / "warm").mkdir()
warm = Checkpoints(base / "w", [base / "warm"])  # imports what is imported late, which others may not read
warm.begin_turn("t")
warm.before_command()
(base / "warm" / "file").write_text("x")
warm.end_turn()
warm.undo()
os.setgid(65534), os.setuid(65534)
work = base / "work"
(work / "d").mkdir(parents=True)
(work / "hidden").mkdir()
for name in ("d/file", "hidden/file", "hidden/patched"):
    (work / name).write_text("before")
(work / "hidden").chmod(0)
checkpoints = Checkpoints(base / "checkpoints", [work])
checkpoints.begin_turn("t")
checkpoints.before_command()
(work / "d").chmod(0)
(work / "hidden").chmod(0o700)
checkpoints.before_write([work / "hidden" / "patched"])
(work / "hidden" / "patched").write_text("after")
changed = checkpoints.end_turn()
assert changed == (str(work / "d"), str(work / "hidden"), str(work / "hidden" / "patched")), changed
assert checkpoints.undo().left == ()
assert (work / "d" / "file").read_text() == "before"
(work / "hidden").chmod(0o700)
assert (work / "hidden" / "file").read_text() == "before"
assert (work / "hidden" / "patched").read_text() == "before"
checkpoints.begin_turn("t2")
checkpoints.before_command()
(work / "hidden" / "file").write_text("after")
assert checkpoints.end_turn() == (str(work / "hidden" / "file"),)
assert checkpoints.undo().left == ()
assert (work / "hidden" / "file").read_text() == "before"
"""


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="becomes another user")
def test_unreadable_directories_lose_nothing() -> None:
    base = Path(tempfile.mkdtemp())  # others may not go through `tmp_path`
    os.chown(base, 65534, 65534)
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, str(base), *sys.path], check=False, capture_output=True, text=True
    )
    shutil.rmtree(base)
    assert done.returncode == 0, done.stderr


def test_no_mode_is_changed_through_a_link_that_appears_in_the_meantime(
    checkpoints: Checkpoints, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "er").mkdir(parents=True)
    (elsewhere / "er").chmod(0o755)
    (work / "deep/er").chmod(0o777)
    begin(checkpoints)
    (work / "deep/er").chmod(0o755)
    checkpoints.end_turn()
    set_mode = restoring._set_mode

    def swapped(path: str, entry: Entry) -> None:
        (work / "deep").rename(work / "moved")
        (work / "deep").symlink_to(elsewhere)
        set_mode(path, entry)

    monkeypatch.setattr(restoring, "_set_mode", swapped)
    assert [left.path for left in undo(checkpoints)] == [str(work / "deep/er")]
    assert (elsewhere / "er").stat().st_mode & 0o777 == 0o755
