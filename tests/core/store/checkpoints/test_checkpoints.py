import os
import time
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Left, contents, entries, tree
from code_core.store.checkpoints import workspace as workspace_module
from code_core.store.errors import CheckpointError


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    (path / "a.txt").write_text("a before")
    (path / "tool.sh").write_text("#!/bin/sh\n")
    (path / "tool.sh").chmod(0o755)
    (path / "link").symlink_to("a.txt")
    (path / "deep" / "er").mkdir(parents=True)
    (path / "deep" / "er" / "b.txt").write_text("b before")
    return path


@pytest.fixture
def checkpoints(tmp_path: Path, workspace: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "home" / "checkpoints" / "s", [workspace])


def state(path: Path) -> dict[str, tuple[int, object]]:
    """Everything below `path` except version control: modes, contents and targets."""
    result: dict[str, tuple[int, object]] = {}
    for folder, names, files in os.walk(path):
        names[:] = [name for name in names if name != ".git"]
        for name in (*names, *files):
            full = Path(folder, name)
            content = full.readlink() if full.is_symlink() else full.read_bytes() if full.is_file() else None
            result[os.fspath(full.relative_to(path))] = (full.lstat().st_mode, content)
    return result


def test_a_patch_is_undone_and_redone(checkpoints: Checkpoints, workspace: Path) -> None:
    before = state(workspace)
    checkpoints.begin_turn("t1")
    new = workspace / "new" / "folder" / "c.txt"
    checkpoints.before_write([workspace / "a.txt", workspace / "deep" / "er" / "b.txt", new])
    (workspace / "a.txt").write_text("a after")
    (workspace / "deep" / "er" / "b.txt").unlink()
    new.parent.mkdir(parents=True)
    new.write_text("c")
    changed = checkpoints.end_turn()
    after = state(workspace)
    assert [Path(path).name for path in changed] == ["a.txt", "b.txt", "new", "folder", "c.txt"]
    outcome = checkpoints.undo()
    assert outcome is not None
    assert (outcome.turn, outcome.left) == ("t1", ())
    assert state(workspace) == before
    assert (checkpoints.can_undo, checkpoints.can_redo) == (False, True)
    outcome = checkpoints.redo()
    assert outcome is not None
    assert outcome.left == ()
    assert state(workspace) == after
    assert checkpoints.redo() is None
    assert checkpoints.undo() is not None
    assert state(workspace) == before


def test_a_patch_outside_of_the_roots_is_undone(checkpoints: Checkpoints, tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.txt"
    path.write_text("before")
    checkpoints.begin_turn("t1")
    checkpoints.before_write([path])
    path.write_text("after")
    assert checkpoints.end_turn() == (str(path),)
    checkpoints.undo()
    assert path.read_text() == "before"


def change_everything(workspace: Path) -> None:
    (workspace / "a.txt").write_text("a after")
    (workspace / "tool.sh").chmod(0o600)
    (workspace / "link").unlink()
    (workspace / "link").symlink_to("elsewhere")
    (workspace / "deep" / "er" / "b.txt").unlink()
    (workspace / "deep" / "er").rmdir()
    (workspace / "deep" / "er").write_text("was a directory")
    (workspace / "new").mkdir(mode=0o700)
    (workspace / "new" / "c.txt").write_bytes(b"\xff\0")
    (workspace / "new" / "dangling").symlink_to("/no/where")
    os.mkfifo(workspace / "fifo")


def test_changes_by_commands_are_undone_and_redone(checkpoints: Checkpoints, workspace: Path) -> None:
    before = state(workspace)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    checkpoints.before_command()
    change_everything(workspace)
    checkpoints.end_turn()
    (workspace / "fifo").unlink()
    after = state(workspace)
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == ()
    assert state(workspace) == before
    checkpoints.redo()
    assert state(workspace) == after


def test_a_file_created_by_a_command_and_changed_by_a_patch_is_removed(
    checkpoints: Checkpoints, workspace: Path
) -> None:
    before = state(workspace)
    checkpoints.begin_turn("t1")
    checkpoints.before_write([workspace / "a.txt"])
    (workspace / "a.txt").write_text("by the patch")
    checkpoints.before_command()
    (workspace / "made").write_text("by the command")
    (workspace / "a.txt").write_text("by the command")
    checkpoints.before_write([workspace / "made", workspace / "a.txt"])
    (workspace / "made").write_text("by the second patch")
    checkpoints.end_turn()
    checkpoints.undo()
    assert state(workspace) == before


def test_the_users_changes_before_the_turn_are_kept(checkpoints: Checkpoints, workspace: Path) -> None:
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    (workspace / "a.txt").write_text("by the agent")
    checkpoints.end_turn()
    (workspace / "a.txt").write_text("by the user")
    checkpoints.begin_turn("t2")
    checkpoints.before_command()
    (workspace / "a.txt").write_text("by the agent again")
    checkpoints.end_turn()
    checkpoints.undo()
    assert (workspace / "a.txt").read_text() == "by the user"


def test_the_users_later_changes_are_reported_and_left_alone(
    checkpoints: Checkpoints, workspace: Path
) -> None:
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    change_everything(workspace)
    (workspace / "fifo").unlink()
    checkpoints.end_turn()
    (workspace / "a.txt").write_text("by the user")
    (workspace / "tool.sh").chmod(0o700)
    (workspace / "new" / "mine.txt").write_text("by the user")
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == (
        Left(str(workspace / "a.txt"), "it has changed since"),
        Left(str(workspace / "new"), "it contains other files"),
        Left(str(workspace / "tool.sh"), "it has changed since"),
    )
    assert (workspace / "a.txt").read_text() == "by the user"
    assert (workspace / "new" / "mine.txt").read_text() == "by the user"
    assert not (workspace / "new" / "c.txt").exists()
    assert (workspace / "deep" / "er" / "b.txt").read_text() == "b before"


def test_a_directory_that_became_a_link_is_not_followed(
    checkpoints: Checkpoints, workspace: Path, tmp_path: Path
) -> None:
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    (workspace / "deep" / "er" / "b.txt").write_text("after")
    checkpoints.end_turn()
    elsewhere = tmp_path / "elsewhere"
    (workspace / "deep" / "er").rename(elsewhere)
    (workspace / "deep" / "er").symlink_to(elsewhere)
    outcome = checkpoints.undo()
    assert outcome is not None
    assert [left.path for left in outcome.left] == [str(workspace / "deep" / "er" / "b.txt")]
    assert (elsewhere / "b.txt").read_text() == "after"


def test_after_a_new_turn_nothing_can_be_redone(checkpoints: Checkpoints, workspace: Path) -> None:
    for name in ("one", "two"):
        checkpoints.begin_turn(name)
        checkpoints.before_write([workspace / name])
        (workspace / name).touch()
        checkpoints.end_turn()
    checkpoints.undo()
    checkpoints.begin_turn("three")
    assert checkpoints.end_turn() == ()  # it changed nothing
    assert checkpoints.redo() is not None
    checkpoints.undo()
    checkpoints.begin_turn("four")
    checkpoints.before_write([workspace / "four"])
    (workspace / "four").touch()
    checkpoints.end_turn()
    assert checkpoints.redo() is None
    assert [outcome.turn for outcome in (checkpoints.undo(), checkpoints.undo()) if outcome] == [
        "four",
        "one",
    ]
    assert checkpoints.undo() is None


def test_another_process_can_undo_and_redo(checkpoints: Checkpoints, workspace: Path, tmp_path: Path) -> None:
    before = state(workspace)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    change_everything(workspace)
    (workspace / "fifo").unlink()
    checkpoints.end_turn()
    after = state(workspace)
    directory = tmp_path / "home" / "checkpoints" / "s"
    with (directory / "turns.jsonl").open("ab") as file:
        file.write(b'{"turn":"half')
    with (directory / "contents.index").open("ab") as file:
        file.write(b"abc 12")
    again = Checkpoints(directory, [workspace])
    assert again.undo() is not None
    assert state(workspace) == before
    assert Checkpoints(directory, [workspace]).redo() is not None
    assert state(workspace) == after
    again = Checkpoints(directory, [workspace])
    again.begin_turn("t2")
    again.before_command()
    (workspace / "a.txt").write_text("more")
    again.end_turn()
    assert Checkpoints(directory, [workspace]).undo() is not None
    assert state(workspace) == after


@pytest.mark.parametrize("damage", ["contents", "contents missing", "turns", "turns type"])
def test_a_damaged_store_is_reported_in_one_line_and_nothing_changes(
    damage: str, checkpoints: Checkpoints, workspace: Path, tmp_path: Path
) -> None:
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    change_everything(workspace)
    (workspace / "fifo").unlink()
    checkpoints.end_turn()
    after = state(workspace)
    directory = tmp_path / "home" / "checkpoints" / "s"
    match damage:
        case "contents":
            data = (directory / "contents").read_bytes()
            (directory / "contents").write_bytes(bytes(len(data)))
        case "contents missing":
            (directory / "contents").unlink()
        case "turns":
            (directory / "turns.jsonl").write_bytes(b"garbage\n" + (directory / "turns.jsonl").read_bytes())
        case "turns type":
            (directory / "turns.jsonl").write_bytes(
                b'{"turn":"t","changes":[["relative",null,["f",420,""]]]}\n'
            )
    with pytest.raises(CheckpointError) as caught:
        Checkpoints(directory, [workspace]).undo()
    assert "\n" not in str(caught.value)
    assert "damaged" in str(caught.value) or "missing" in str(caught.value)
    assert state(workspace) == after


def test_saved_files_are_private(checkpoints: Checkpoints, workspace: Path, tmp_path: Path) -> None:
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    change_everything(workspace)
    checkpoints.end_turn()
    for path in (tmp_path / "home").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_files_that_are_too_large_are_reported(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "LARGEST_FILE", 100)
    monkeypatch.setattr(workspace_module, "LARGEST_FILE", 100)
    (workspace / "large").write_text("x" * 101)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    (workspace / "large").write_text("y" * 101)
    (workspace / "new large").write_text("z" * 101)
    checkpoints.end_turn()
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == (Left(str(workspace / "large"), "it was not saved"),)
    assert not (workspace / "new large").exists()


def test_a_full_store_saves_no_more(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = contents.Contents(tmp_path / "c", most_bytes=10)
    assert store.put(b"12345678") is not None
    assert store.put(b"abc") is None
    assert store.put(b"12345678") is not None


def test_a_disk_that_is_full_fails_the_turn_before_it_writes(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    checkpoints.begin_turn("t1")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(CheckpointError, match="No space left"):
            checkpoints.before_write([workspace / "a.txt"])
        with pytest.raises(CheckpointError, match="No space left"):
            checkpoints.before_command()
    checkpoints.before_command()
    (workspace / "a.txt").write_text("after")
    checkpoints.end_turn()
    checkpoints.undo()
    assert (workspace / "a.txt").read_text() == "a before"


def test_a_tree_that_is_too_large_is_reported_and_patches_are_still_covered(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_ENTRIES", 3)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    assert checkpoints.warning is not None
    assert "undo covers patches" in checkpoints.warning
    checkpoints.before_write([workspace / "a.txt"])
    (workspace / "a.txt").write_text("after")
    assert len(checkpoints.end_turn()) == 1
    checkpoints.undo()
    assert (workspace / "a.txt").read_text() == "a before"


def test_our_own_home_and_version_control_are_not_scanned(tmp_path: Path) -> None:
    for name in ("work/.git", "work/home", "work/sub/.hg"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("before")
    checkpoints = Checkpoints(
        tmp_path / "work" / "home" / "c", [tmp_path / "work"], [tmp_path / "work" / "home"]
    )
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    for name in ("work/.git", "work/home", "work/sub/.hg"):
        (tmp_path / name / "file").write_text("after")
    assert checkpoints.end_turn() == ()


def test_only_changed_files_are_read(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "_RECENT", -(10**12))
    read: list[str] = []

    def recording(path: str, expected: entries.State | None = None) -> bytes | None:
        read.append(Path(path).name)
        return entries.content_of(path, expected)

    monkeypatch.setattr(workspace_module, "content_of", recording)
    monkeypatch.setattr(tree, "content_of", recording)
    checkpoints.prepare()
    assert read == []
    checkpoints.save(60)
    assert sorted(read) == ["a.txt", "b.txt", "tool.sh"]
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    assert len(read) == 3
    (workspace / "a.txt").write_text("A BEFORE")
    checkpoints.end_turn()
    assert read[3:] == ["a.txt"]


def test_a_change_within_the_resolution_of_the_clock_is_detected(
    checkpoints: Checkpoints, workspace: Path
) -> None:
    path = workspace / "a.txt"
    for number in range(100):
        path.write_text(f"{number:04}a")
        checkpoints.begin_turn("t")
        checkpoints.before_command()
        with path.open("r+") as file:  # the same inode and size, and likely the same time
            file.write(f"{number:04}b")
        assert checkpoints.end_turn() == (str(path),)


def test_a_recently_changed_file_is_read_again_whatever_its_times_are(workspace: Path) -> None:
    def save(data: bytes) -> str:
        return data.decode()

    def look(before: tree.Snapshot) -> tree.Folder:
        return tree.Look(frozenset(), save).all([str(workspace)], before)[str(workspace)]

    first = look({})
    assert first["a.txt"].ctime == first["tool.sh"].ctime == -1
    assert first["a.txt"].value == "a before"
    os.utime(workspace / "a.txt")
    time.sleep(entries._RECENT / 1e9 * 1.1)
    second = look({str(workspace): first})
    assert second["a.txt"].ctime > 0
