"""A thousand random turns, undone and redone byte for byte, with and without git, while the user edits."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, Outcome, git_contents, workspace
from core.store.checkpoints.test_checkpoints import state

TURNS = 250
NAMES = ["a", "b", "c", "ignored", "\udcff"]
State = dict[str, tuple[int, object]]


class World:
    """A small tree that an agent and a user change at random."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret

    def path(self) -> Path:
        return self.root.joinpath(*self.random.choices(NAMES, k=self.random.randint(1, 3)))

    def change(self) -> Path | None:
        """Do one random thing, if possible, and return the affected path."""
        path = self.path()
        try:
            match self.random.choice(
                [
                    "write",
                    "write",
                    "append",
                    "in place",
                    "delete",
                    "mode",
                    "link",
                    "mkdir",
                    "move",
                    "tree",
                    "sh",
                ]
            ):
                case "write":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.unlink(missing_ok=True)
                    path.write_bytes(self.random.randbytes(self.random.randint(0, 40)))
                case "append":
                    with path.open("ab") as file:
                        file.write(self.random.randbytes(5))
                case "in place":
                    with path.open("r+b") as file:
                        file.write(self.random.randbytes(min(5, path.stat().st_size)))
                case "sh":
                    script = self.random.choice(
                        ['echo x > "$1"', 'rm -rf "$1"', 'cp -a "$1" "$2"', 'mv "$1" "$2"']
                    )
                    subprocess.run(
                        ["sh", "-c", script, "-", path, self.path()], check=False, capture_output=True
                    )
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
    """What the user did not touch is restored; what they changed is kept and named."""
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


def git_files(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything in the git directory, with the inodes and times that show whether it was written."""
    files = [path for path in (root / ".git").rglob("*") if path.is_file()]
    status = {path: path.stat() for path in files}
    return {
        os.fspath(path): (status[path].st_ino, status[path].st_mtime_ns, path.read_bytes()) for path in files
    }


def make_repository(root: Path) -> None:
    """Create a commit, a stash, a staged change and an ignored file."""
    (root / ".gitignore").write_text("ignored\n")
    for name in ("staged", "stashed", "clean"):
        (root / name).write_text(f"{name}\n")
    git(root, "init -q")
    git(root, "add -A")
    git(root, "commit -qm first")
    (root / "stashed").write_text("in the stash")
    git(root, "stash")
    (root / "staged").write_text("in the index")
    git(root, "add staged")


def git(root: Path, command: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *who, *command.split()], cwd=root, check=True, capture_output=True)


@dataclass
class Done:
    """A turn, and the files before and after it."""

    paths: set[str]
    before: State
    after: State


@pytest.fixture
def read_from_git(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read from git, which is asked for every file here."""
    found: list[str] = []

    def recording(blobs: Iterable[git_contents.Blob]) -> Iterator[tuple[git_contents.Blob, bytes]]:
        for blob, data in real(blobs):
            found.append(blob.id)
            yield blob, data

    real = git_contents.read
    monkeypatch.setattr(git_contents, "read", recording)
    monkeypatch.setattr(workspace, "_WORTH_GIT", 0)
    return found


def no_watch(_roots: object) -> None:
    raise OSError("no watches here")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "with_git", "watched"), [(1, False, True), (2, True, True), (3, False, False), (4, True, False)]
)
def test_random_turns_are_undone_and_redone(
    seed: int,
    with_git: bool,
    watched: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    read_from_git: list[str],
) -> None:
    if not watched:
        monkeypatch.setattr(workspace, "Watch", no_watch)
    root = tmp_path / "work"
    root.mkdir()
    world = World(root, seed)
    for _ in range(40):
        world.change()
    if with_git:
        make_repository(root)
    time.sleep(0.06)  # what changed just now is read at once, and would hide the others
    checkpoints = Checkpoints(tmp_path / "checkpoints", [root])
    git_before = git_files(root)
    undone = redone = kept = 0
    stack: list[Done] = []
    for number in range(TURNS):
        if world.random.random() < 0.2:
            world.change()  # by the user
        if world.random.random() < 0.1:
            time.sleep(0.06)
        before = state(root)
        changes = world.turn(checkpoints, number)
        after = state(root)
        if not changes:
            assert after == before
            continue
        stack.append(Done({os.path.relpath(path, root) for path in changes}, before, after))
        assert differing(before, after) <= stack[-1].paths
        if world.random.random() < 0.3:
            checkpoints = Checkpoints(tmp_path / "checkpoints", [root])
        for _ in range(world.random.choice([0, 0, 0, 1, 2])):
            if not stack:
                break
            if world.random.random() < 0.4:
                world.change()  # by the user
                world.change()
            done = stack.pop()
            edited = state(root)
            changed = differing(done.after, edited)
            check(root, checkpoints.undo(), done.before, edited, done.paths, changed)
            undone += 1
            kept += bool(changed)
            if not changed and world.random.random() < 0.5:
                check(root, checkpoints.redo(), done.after, done.after, done.paths, set())
                stack.append(done)
                redone += 1
    assert git_files(root) == git_before
    assert min(undone, redone, kept) > 5
    assert bool(read_from_git) == with_git
