"""A thousand random turns, undone and redone byte for byte, with and without git, while the user edits too."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Outcome
from core.store.checkpoints.test_checkpoints import state

TURNS = 250
NAMES = ["a", "b", "c", "ignored", "\udcff"]
State = dict[str, tuple[int, object]]


class World:
    """A small tree in which an agent and a user do random things."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def path(self) -> Path:
        return self.root.joinpath(*self.random.choices(NAMES, k=self.random.randint(1, 3)))

    def change(self) -> Path | None:
        """Do one thing; what cannot be done is not done. Gives the path at which it happened."""
        path = self.path()
        try:
            match self.random.choice(
                ["write", "write", "write", "delete", "mode", "link", "mkdir", "move", "tree"]
            ):
                case "write":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.unlink(missing_ok=True)
                    path.write_bytes(self.random.randbytes(self.random.randint(0, 40)))
                case "delete":
                    path.unlink()
                case "mode":
                    path.chmod(
                        self.random.choice([0o644, 0o755, 0o600, 0o700, 0o444])
                        | (0o700 if path.is_dir() else 0)
                    )
                case "link":
                    path.symlink_to(self.random.choice(["a", "/no/where", "../b"]))
                case "mkdir":
                    path.mkdir(mode=self.random.choice([0o755, 0o700]))
                case "move":
                    path.rename(self.path())
                case "tree":
                    shutil.rmtree(path)
        except OSError:
            return None
        return path

    def patch(self, checkpoints: Checkpoints) -> None:
        path = self.path()
        if any(parent.is_symlink() or parent.is_file() for parent in path.parents) or path.is_dir():
            return
        checkpoints.before_write([path])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if self.random.random() < 0.8:
            path.write_bytes(self.random.randbytes(20))

    def turn(self, checkpoints: Checkpoints, number: int) -> tuple[str, ...]:
        checkpoints.begin_turn(str(number))
        for _ in range(self.random.randint(1, 3)):
            if self.random.random() < 0.4:
                self.patch(checkpoints)
            else:
                checkpoints.before_command()
                for _ in range(self.random.randint(1, 4)):
                    self.change()
        return checkpoints.end_turn()


def related(path: str, others: set[str]) -> bool:
    return any(
        path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in others
    )


def check(
    root: Path,
    outcome: Outcome | None,
    wanted: State,
    edited: State,
    by_the_turn: set[str],
    changed: set[str],
) -> None:
    """What the user did not touch is as it was, what they did is as they left it, and is named."""
    assert outcome is not None
    now = state(root)
    left = {os.path.relpath(entry.path, root) for entry in outcome.left}
    if not changed:
        assert left == set()
        assert now == wanted
        return
    for path in now.keys() | wanted.keys():
        if not related(path, changed):
            assert now.get(path) == wanted.get(path), path
    for path in changed:
        assert now.get(path) == edited.get(path), path
        if path in by_the_turn and edited.get(path) != wanted.get(path):
            assert path in left, path


def differing(one: State, other: State) -> set[str]:
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def git_files(root: Path) -> dict[str, bytes]:
    git = root / ".git"
    files = [path for path in git.rglob("*") if path.is_file()] if git.exists() else []
    return {os.fspath(path): path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "with_git"), [(1, False), (2, True), (3, False), (4, True)])
def test_random_turns(seed: int, with_git: bool, tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    world = World(root, seed)
    for _ in range(20):
        world.change()
    if with_git:
        (root / ".gitignore").write_text("ignored\n")
        for command in (
            "init -q",
            "add -A",
            "-c user.name=a -c user.email=a@example.org commit -qm first",
            "stash list",
        ):
            subprocess.run(["git", *command.split()], cwd=root, check=True, capture_output=True)
    checkpoints = Checkpoints(tmp_path / "checkpoints", [root])
    git_before = git_files(root)
    undone = redone = kept = 0
    for number in range(TURNS):
        before = state(root)
        changes = world.turn(checkpoints, number)
        after = state(root)
        if not changes:
            assert after == before
            continue
        turn = {os.path.relpath(path, root) for path in changes}
        assert differing(before, after) <= turn
        if world.random.random() < 0.4:
            if world.random.random() < 0.3:
                checkpoints = Checkpoints(tmp_path / "checkpoints", [root])
            if world.random.random() < 0.4:
                for _ in range(2):
                    world.change()
            edited = state(root)
            changed = differing(after, edited)
            outcome = checkpoints.undo()
            check(root, outcome, before, edited, turn, changed)
            undone += 1
            kept += bool(changed)
            if not changed and world.random.random() < 0.7:
                check(root, checkpoints.redo(), after, after, turn, set())
                redone += 1
    assert git_files(root) == git_before
    assert min(undone, redone, kept) > 5
