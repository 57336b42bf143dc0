"""What is too much to look at before a command, and what is passed over."""

from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, tree


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "a.txt").write_text("a before")
    return tmp_path / "work"


@pytest.fixture
def checkpoints(tmp_path: Path, workspace: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints", [workspace])


def test_too_many_bytes_are_too_large_as_well(
    checkpoints: Checkpoints, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_READ", 3)
    checkpoints.begin_turn("t1")
    checkpoints.before_command()
    assert checkpoints.warning is not None


def test_what_tools_can_fill_again_is_covered_for_patches_alone(
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
