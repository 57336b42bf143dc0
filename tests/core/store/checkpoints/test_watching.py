"""Changes that a scan finds without listing everything again, and those for which it must."""

import mmap
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from code_core.store.checkpoints import Checkpoints, tree, watch
from code_core.store.checkpoints import workspace as workspace_module
from code_core.store.checkpoints.contents import Contents
from code_core.store.errors import CheckpointError
from core.store.checkpoints.test_checkpoints import state

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Agent:
    """Undoes each change immediately, and counts the work needed to detect it."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.root = root
        self.listed: list[str] = []
        self.checkpoints = Checkpoints(directory, [root])

    def turn(self) -> None:
        self.checkpoints.begin_turn("t")
        self.checkpoints.before_command()

    def is_undone(self, before: dict[str, tuple[int, object]]) -> bool:
        assert state(self.root) != before
        assert self.checkpoints.end_turn()
        outcome = self.checkpoints.undo()
        assert outcome is not None
        assert outcome.left == ()
        return state(self.root) == before


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    for name in ("a/b/c.txt", "d/e.txt", "f/g/h/i.txt", "top.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    time.sleep(0.06)
    return root


@pytest.fixture
def agent(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Agent:
    agent = Agent(tmp_path / "checkpoints", root)
    folder = tree.Look.folder

    def recording(self: tree.Look, directory: str, before: tree.Folder, most: int) -> tree.Folder | None:
        agent.listed.append(os.path.relpath(directory, root))
        return folder(self, directory, before, most)

    monkeypatch.setattr(tree.Look, "folder", recording)
    agent.turn()
    assert sorted(agent.listed) == [".", "a", "a/b", "d", "f", "f/g", "f/g/h"]
    agent.checkpoints.end_turn()
    agent.listed.clear()
    return agent


def test_only_changed_directories_are_listed_again(agent: Agent, root: Path) -> None:
    before = state(root)
    agent.turn()
    assert agent.listed == []
    (root / "d" / "e.txt").write_text("after")
    assert agent.is_undone(before)
    assert agent.listed == ["d"]


def test_the_users_changes_between_turns_are_not_the_agents(agent: Agent, root: Path) -> None:
    (root / "d" / "e.txt").write_text("by the user")
    before = state(root)
    agent.turn()
    (root / "d" / "e.txt").write_text("by the agent")
    assert agent.is_undone(before)


def test_a_moved_directory_is_watched_at_its_new_path(agent: Agent, root: Path) -> None:
    agent.turn()
    (root / "f").rename(root / "a" / "moved")
    agent.checkpoints.end_turn()
    before = state(root)
    agent.turn()
    (root / "a" / "moved" / "g" / "h" / "i.txt").write_text("after")
    assert agent.is_undone(before)


def test_two_directories_that_swapped_paths_are_watched_at_their_new_paths(agent: Agent, root: Path) -> None:
    before = state(root)
    agent.turn()
    (root / "a").rename(root / "x")
    (root / "d").rename(root / "a")
    (root / "x").rename(root / "d")
    assert agent.is_undone(before)
    agent.turn()
    (root / "a" / "b" / "c.txt").write_text("after")
    assert agent.is_undone(before)


def test_a_recreated_directory_is_watched_again(agent: Agent, root: Path) -> None:
    agent.turn()
    for _ in range(3):
        shutil.rmtree(root / "d")
        (root / "d").mkdir()
        (root / "d" / "e.txt").write_text("another")
    agent.checkpoints.end_turn()
    before = state(root)
    for number in range(3):
        agent.turn()
        (root / "d" / "e.txt").write_text(f"after {number}")
        assert agent.is_undone(before)


def test_a_deep_tree_created_in_the_turn_is_detected(agent: Agent, root: Path) -> None:
    before = state(root)
    agent.turn()
    (root / "new" / "and" / "deep").mkdir(parents=True)
    (root / "new" / "and" / "deep" / "file").write_text("new")
    assert agent.is_undone(before)


def test_a_root_that_was_removed_and_recreated_is_detected(agent: Agent, root: Path) -> None:
    before = state(root)
    agent.turn()
    shutil.rmtree(root)
    root.mkdir()
    assert agent.is_undone(before)
    agent.turn()
    (root / "d" / "e.txt").write_text("after")
    assert agent.is_undone(before)


def test_another_directory_at_the_path_of_the_root_is_detected(
    agent: Agent, root: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    (copy / "d" / "e.txt").write_text("in the copy")
    root.rename(tmp_path / "old")
    copy.rename(root)
    before = state(root)
    agent.turn()
    (root / "d" / "e.txt").write_text("after")
    assert agent.is_undone(before)


def test_after_a_queue_overflow_everything_is_scanned(
    agent: Agent, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(root)
    agent.turn()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit // 2 + 10):
        (root / "d" / f"{number % 2}").touch()
        os.utime(root / "f" / "g", (number, number))
    (root / "d" / "0").unlink()
    (root / "d" / "1").unlink()
    (root / "a" / "b" / "c.txt").write_text("after the last event")
    assert agent.is_undone(before)
    assert len(agent.listed) >= 7


def test_events_of_a_failed_scan_are_not_lost(
    agent: Agent, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise CheckpointError("full")

    (root / "d" / "e.txt").write_text("by the user")
    with monkeypatch.context() as patch:
        patch.setattr(Contents, "put", full)
        with pytest.raises(CheckpointError):
            agent.turn()
    before = state(root)
    agent.listed.clear()
    agent.turn()
    assert len(agent.listed) == 7
    (root / "d" / "e.txt").write_text("after")
    assert agent.is_undone(before)


def test_a_write_through_another_hard_link_is_detected(root: Path, tmp_path: Path) -> None:
    os.link(root / "d" / "e.txt", tmp_path / "other name")
    agent = Agent(tmp_path / "checkpoints", root)
    agent.turn()
    agent.checkpoints.end_turn()
    before = state(root)
    agent.turn()
    (tmp_path / "other name").write_text("after")
    assert agent.is_undone(before)


def test_a_write_through_an_open_memory_map_is_detected(agent: Agent, root: Path) -> None:
    with (root / "d" / "e.txt").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        file.write(b"D")
        file.flush()
        agent.turn()
        agent.checkpoints.end_turn()
        before = state(root)
        agent.turn()
        memory[1:3] = b"++"
        memory.flush()
        assert agent.is_undone(before)


@pytest.mark.parametrize("limit", ["watches", "file system", "mounted meanwhile"])
def test_without_watches_everything_is_scanned(
    limit: str, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = Agent(tmp_path / "checkpoints", root)
    before = state(root)
    match limit:
        case "watches":
            monkeypatch.setattr(watch, "MOST_WATCHED", 3)
        case "file system":
            monkeypatch.setattr(watch, "_LOCAL", frozenset())
        case "mounted meanwhile":
            agent.turn()
            agent.checkpoints.end_turn()
            monkeypatch.setattr(watch, "_mounts", lambda _: (("/", "ext4"), (str(root / "d"), "nfs4")))
    for _ in range(2):
        agent.turn()
        (root / "f" / "g" / "h" / "i.txt").write_text("after")
        assert agent.is_undone(before)


def test_a_watch_ends_when_something_is_mounted_in_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watching = watch.Watch([str(root)])
    assert watching.changed() == set()
    monkeypatch.setattr(watch, "_mounts", lambda _: (("/", "ext4"), (str(root / "d"), "nfs4")))
    with pytest.raises(OSError, match="mounted"):
        watching.changed()


def test_mounts_are_found_above_and_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n"
        "28 27 0:1 / /home rw - nfs4 server:/ rw\n"
        "29 27 0:2 / /work/a\\040b rw shared:1 - tmpfs tmpfs rw\n"
        "30 27 0:3 / /working rw - 9p host rw\n"
    )
    monkeypatch.setattr(watch, "_MOUNTS", table)
    assert watch._mounts(["/work"]) == (("/", "ext4"), ("/work/a b", "tmpfs"))
    assert watch._mounts(["/home/me"]) == (("/home", "nfs4"),)


def test_many_hard_links_cause_a_full_scan(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace_module, "_MOST_LINKED", 0)
    os.link(root / "d" / "e.txt", tmp_path / "other name")
    agent = Agent(tmp_path / "checkpoints", root)
    agent.turn()
    agent.checkpoints.end_turn()
    before = state(root)
    agent.turn()
    (root / "a" / "b" / "c.txt").write_text("after")
    assert agent.is_undone(before)
