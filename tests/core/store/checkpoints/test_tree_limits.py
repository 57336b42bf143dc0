"""What is too large to scan before a command, and what is skipped."""

import time
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Left
from code_core.store.checkpoints import checkpoints as checkpoints_module
from code_core.store.checkpoints import workspace as workspace_module


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.txt").write_text("a before")
    return tmp_path / "work"


@pytest.fixture
def checkpoints(tmp_path: Path, workspace: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", [workspace])


@pytest.fixture
def settled(workspace: Path) -> None:
    """Files that did not change just now, which would be read at once."""
    time.sleep(0.06)


@pytest.mark.usefixtures("settled")
def test_files_over_the_copy_limit_are_reported_and_the_last_changed_ones_are_covered(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "newer.txt").write_text("newer")
    time.sleep(0.06)
    monkeypatch.setattr(workspace_module, "MOST_COPIED", 6)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    assert checkpoints.warning == (
        f"undo does not cover what commands change in 1 file below {workspace}:"
        " git does not have its contents, and more than 256 MiB would be copied"
    )
    for name in ("a.txt", "newer.txt"):
        (workspace / name).write_text("after")
    checkpoints.end_turn()
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == (Left(str(workspace / "a.txt"), "it was not saved"),)
    assert (workspace / "newer.txt").read_text() == "newer"


@pytest.mark.usefixtures("settled")
def test_the_first_command_waits_for_a_limited_time_and_saving_continues_while_it_runs(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "b.txt").write_text("b before")
    (workspace / "c.txt").write_text("c before")
    time.sleep(0.06)
    monkeypatch.setattr(checkpoints_module, "MOST_WAIT", -1)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()  # saves c.txt, as the clock is looked at after each file
    assert checkpoints.warning == (
        f"undo does not cover yet what commands change in 2 files below {workspace}: they are still being saved"
    )
    (workspace / "b.txt").write_text("changed too soon")
    (workspace / "c.txt").write_text("after")
    assert not checkpoints.save(60)
    assert not checkpoints.warning
    (workspace / "a.txt").write_text("after")
    checkpoints.end_turn()
    outcome = checkpoints.undo()
    assert outcome is not None
    assert outcome.left == (Left(str(workspace / "b.txt"), "it was not saved"),)
    assert (workspace / "a.txt").read_text() == "a before"
    assert (workspace / "c.txt").read_text() == "c before"
    assert (workspace / "b.txt").read_text() == "changed too soon"


def test_directories_that_tools_recreate_are_covered_only_for_patches(
    checkpoints: Checkpoints, workspace: Path
) -> None:
    installed = workspace / "node_modules" / "x.js"
    installed.parent.mkdir()
    installed.write_text("before")
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    installed.write_text("by a command")
    assert checkpoints.end_turn() == ()
    checkpoints.begin_turn("t2")
    checkpoints.before_command()
    checkpoints.before_write([installed])
    installed.write_text("by a patch")
    assert checkpoints.end_turn() == (str(installed),)
    checkpoints.undo()
    assert installed.read_text() == "by a command"
