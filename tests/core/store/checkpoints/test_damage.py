"""A damaged, missing or full store: one line of error, and nothing is changed."""

import errno
import json
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, contents
from code_core.store.checkpoints import checkpoints as checkpoints_module
from code_core.store.errors import CheckpointError
from core.store.checkpoints.test_checkpoints import state


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    (work / "a.txt").write_text("a before")
    (work / "sub" / "b.txt").write_text("b before")
    return work


@pytest.fixture
def store(tmp_path: Path, work: Path) -> Path:
    """Checkpoints of one turn."""
    directory = tmp_path / "home" / "checkpoints" / "s"
    checkpoints = Checkpoints(directory, [work])
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    (work / "a.txt").write_text("a after")
    shutil.rmtree(work / "sub")
    (work / "new").write_text("new")
    assert len(checkpoints.end_turn()) == 4
    return directory


def missing_blob(store: Path) -> None:
    lines = (store / "contents.index").read_bytes().splitlines(keepends=True)
    (store / "contents.index").write_bytes(b"".join(lines[1:]))


def wrong_hash(store: Path) -> None:
    data = (store / "contents").read_bytes()
    (store / "contents").write_bytes(data.replace(b"before", b"BEFORE"))


def truncated_contents(store: Path) -> None:
    os.truncate(store / "contents", 3)


def huge_numbers(store: Path) -> None:
    lines = (store / "contents.index").read_text().splitlines()
    (store / "contents.index").write_text("".join(f"{line.split()[0]} 0 {9 * 10**4000}\n" for line in lines))


def long_lengths(store: Path) -> None:
    lines = (store / "contents.index").read_text().splitlines()
    (store / "contents.index").write_text("".join(f"{line.split()[0]} 0 999999999\n" for line in lines))


def no_contents(store: Path) -> None:
    (store / "contents").unlink()


def no_index(store: Path) -> None:
    (store / "contents.index").unlink()


def garbage(store: Path) -> None:
    (store / "turns.jsonl").write_bytes(b"\0\xff garbage\n")


def no_text(store: Path) -> None:
    (store / "turns.jsonl").write_bytes(b"[" * 100_000 + b"\n")


def directory(store: Path) -> None:
    (store / "turns.jsonl").unlink()
    (store / "turns.jsonl").mkdir()


def link(store: Path) -> None:
    (store / "turns.jsonl").rename(store / "elsewhere")
    (store / "turns.jsonl").symlink_to("elsewhere")


def fifo(store: Path) -> None:
    (store / "contents.index").unlink()
    os.mkfifo(store / "contents.index")


def file_for_directory(store: Path) -> None:
    shutil.rmtree(store)
    store.write_text("no directory")


DAMAGES = [
    missing_blob,
    wrong_hash,
    truncated_contents,
    huge_numbers,
    long_lengths,
    no_contents,
    no_index,
    garbage,
    no_text,
    directory,
    link,
    fifo,
    file_for_directory,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_reported_in_one_line(damage: Callable[[Path], None], store: Path, work: Path) -> None:
    after = state(work)
    damage(store)
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(store, [work]).undo()
    message = str(caught.value)
    assert "\n" not in message
    assert str(store) in message
    assert state(work) == after


@pytest.mark.parametrize(
    "changes",
    [
        [["relative", None, ["f", 420, ""]]],
        [["/a/../b", None, ["d", 448, ""]]],
        [["/a\0b", None, ["d", 448, ""]]],
        [["/\ud800", None, ["d", 448, ""]]],
        [["/a", None, ["x", 420, ""]]],
        [["/a", None, ["f", -1, ""]]],
        [["/a", None, ["f", 10**30, ""]]],
        [["/a", None, ["l", 0, "\0"]]],
        [["/a", None, ["l", 0, 7]]],
        [["/a", None]],
        "text",
        None,
    ],
)
def test_an_impossible_record_is_rejected(changes: object, store: Path, work: Path) -> None:
    (store / "turns.jsonl").write_text(json.dumps({"turn": "t", "changes": changes}) + "\n")
    with pytest.raises(
        CheckpointError, match=r"\Athe record of what turns changed is damaged: .*not available\Z"
    ):
        Checkpoints(store, [work]).undo()


def test_changed_bytes_never_cause_another_exception(store: Path, work: Path, tmp_path: Path) -> None:
    choose = random.Random(1)  # noqa: S311 - repeatable, not secret
    after = state(work)
    refused = 0
    for _ in range(300):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store, copy)
        path = copy / choose.choice(["contents", "contents.index", "turns.jsonl"])
        data = bytearray(path.read_bytes())
        data[choose.randrange(len(data))] = choose.randrange(256)
        if choose.random() < 0.3:
            del data[choose.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            Checkpoints(copy, [work]).undo()
        except CheckpointError as error:
            refused += 1
            assert "\n" not in str(error)
            assert state(work) == after
        shutil.rmtree(work)
        work.mkdir()
        (work / "a.txt").write_text("a after")
        (work / "new").write_text("new")
    assert refused > 50


def test_a_deleted_store_has_nothing_to_undo(store: Path, work: Path) -> None:
    shutil.rmtree(store)
    assert Checkpoints(store, [work]).undo() is None


def test_a_store_that_disappears_during_a_session_is_an_error(store: Path, work: Path) -> None:
    checkpoints = Checkpoints(store, [work])
    shutil.rmtree(store)
    after = state(work)
    with pytest.raises(CheckpointError, match="missing"):
        checkpoints.undo()
    assert state(work) == after


def test_on_a_full_disk_files_that_do_not_fit_are_left_unchanged(
    store: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    checkpoints = Checkpoints(store, [work])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fchmod", full)  # once a file is written
        outcome = checkpoints.undo()
    assert outcome is not None
    assert {(Path(left.path).name, left.reason) for left in outcome.left} == {
        ("a.txt", "No space left on device"),
        ("b.txt", "No space left on device"),
    }
    assert (work / "a.txt").read_text() == "a after"
    assert not list(work.rglob("*.tmp"))


def test_a_disk_that_fills_up_while_files_are_saved_leaves_the_rest_of_the_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    work = tmp_path / "work"
    work.mkdir()
    (work / "old").write_text("old before")
    time.sleep(0.06)
    monkeypatch.setattr(checkpoints_module, "MOST_WAIT", -1)
    checkpoints = Checkpoints(tmp_path / "checkpoints", [work])
    checkpoints.begin_turn("t")
    (work / "recent").write_text("recent before")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(
            CheckpointError, match=r"\Acannot save files for undo: .*: No space left on device\Z"
        ):
            checkpoints.before_command()
    (work / "lost").write_text("the command that ran all the same")
    checkpoints.before_command()  # there is space again
    for name in ("old", "recent"):
        (work / name).write_text("after")
    assert checkpoints.end_turn() == (str(work / "old"), str(work / "recent"))
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == ()
    assert {path.name: path.read_text() for path in work.iterdir()} == {
        "lost": "the command that ran all the same",
        "old": "old before",
        "recent": "recent before",
    }


def test_contents_that_could_not_be_written_count_as_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    work = tmp_path / "work"
    work.mkdir()
    (work / "older").write_text("older before")
    time.sleep(0.06)
    (work / "recent").write_text("recent before")
    checkpoints = Checkpoints(tmp_path / "checkpoints", [work])
    checkpoints.begin_turn("t")
    with monkeypatch.context() as patch:
        patch.setattr(contents.Contents, "flush", lambda _: None)  # what is put stays in memory for now
        checkpoints.before_command()
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(CheckpointError):
            checkpoints.save(0)
    for name in ("older", "recent"):
        (work / name).write_text("after")
    checkpoints.end_turn()
    outcome = checkpoints.undo()
    assert outcome is not None
    assert [left.reason for left in outcome.left] == ["it was not saved", "it was not saved"]
