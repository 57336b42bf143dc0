"""Snapshots of directory trees as inode states, and the differences between two of them.

Only links and recently changed files are read: for the rest, the state shows whether the content changed.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import PurePath

from code_core.store.checkpoints.entries import State, changed_recently, content_of, state_of

MOST_ENTRIES = 100_000
"""Limit on files and directories. In a larger tree, only patches can be undone."""

NOT_OURS = frozenset({".git", ".hg", ".svn", ".jj"})
"""Version control directories, which are never scanned or changed."""

REBUILT = frozenset(
    {
        "node_modules",
        ".venv",
        "venv",
        ".tox",
        ".nox",
        "__pycache__",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
    }
)
"""Directories that tools fill and can recreate; changes that commands make in them are ignored."""

NOTHING: "Folder" = {}
UNSEEN: "Folder" = {}
"""The contents of a directory that cannot be listed, in which nothing counts as new or deleted."""

_OPEN = os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)

Folder = dict[str, State]
"""The entries of a directory by name. An unchanged directory keeps the same object."""

Snapshot = dict[str, Folder]
"""The contents of each directory."""


class TreeTooLarge(Exception):  # noqa: N818 - a state of the tree
    """The tree has more than `MOST_ENTRIES` files and directories."""


class Look:
    """One scan of directories, based on earlier ones.

    Args:
        excluded: directories to skip.
        save: stores the content of a recently changed file and returns its digest.
        enter: called with each directory before it is listed, for example to watch it.

    Attributes:
        new_files: paths and states of new or changed files whose content was not read.
        linked: directories containing a file with several names, which may change under another one.
        repositories: directories that contain a `.git`.
    """

    def __init__(
        self,
        excluded: frozenset[str],
        save: Callable[[bytes], str | None],
        enter: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._excluded = excluded
        self._save = save
        self._enter = enter
        self._now = time.time_ns()
        self.new_files: list[tuple[str, State]] = []
        self.linked: set[str] = set()
        self.repositories: set[str] = set()

    def all(self, roots: Iterable[str], previous: Snapshot) -> Snapshot:
        """Scan everything below `roots`.

        Raises:
            TreeTooLarge: the tree is too large.
        """
        result: Snapshot = {}
        waiting = list(roots)
        left = MOST_ENTRIES
        while waiting:
            directory = waiting.pop()
            folder = self.folder(directory, previous.get(directory, NOTHING), left)
            if folder is not None:
                result[directory] = folder
                left -= len(folder)
                waiting += _directories_in(directory, folder)
        return result

    def some(self, dirty: Iterable[str], previous: Snapshot) -> Snapshot:
        """Return `previous`, updated by scanning the directories in `dirty` and everything new in them.

        Raises:
            TreeTooLarge: the tree is too large.
        """
        result = dict(previous)
        waiting = sorted(dirty, reverse=True)  # parents first
        while waiting:
            directory = waiting.pop()
            before = result.get(directory)
            if before is None:
                continue  # deleted, or already scanned as part of something new
            folder = self.folder(directory, before, MOST_ENTRIES)
            if folder is before:
                continue
            if folder is None:
                _drop(directory, result)
                continue
            result[directory] = folder
            for path in _directories_in(directory, before):
                name = os.path.basename(path)  # noqa: PTH119 - a text
                old, new = before[name], folder.get(name)
                if new is None or not new.is_directory or new.inode != old.inode:
                    _drop(path, result)
                elif new.mode != old.mode:
                    waiting.append(path)  # its entries may be visible now
            unseen = [path for path in _directories_in(directory, folder) if path not in result]
            result |= self.all(unseen, {})
        if sum(map(len, result.values())) > MOST_ENTRIES:
            raise TreeTooLarge
        return result

    def folder(self, directory: str, before: Folder, most: int) -> Folder | None:
        """Return the entries of `directory`, as the same object if unchanged, or None if it no longer exists.

        For a directory that can no longer be listed, these are its earlier entries, or `UNSEEN` if unknown.

        Raises:
            TreeTooLarge: it has more than `most` entries.
        """
        folder: Folder = {}
        same = True
        self._enter(directory)
        try:
            descriptor = os.open(directory, _OPEN)
        except PermissionError:
            return before or UNSEEN
        except OSError:
            return None
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:  # deleted in the meantime
                        continue
                    name = entry.name
                    old = before.get(name)
                    # This condition and the `stat` above, 50,000 times, dominate the cost of a scan.
                    if (
                        old is not None
                        and old[0] == status.st_ctime_ns
                        and old[1] == status.st_ino
                        and old[2] == status.st_size
                    ):
                        folder[name] = old
                        continue
                    new = self._state(directory, name, status, descriptor)
                    if new is not None:
                        same = same and old == new
                        folder[name] = old if old is not None and old == new else new
                        if len(folder) > most:
                            raise TreeTooLarge
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return before if before and same and len(folder) == len(before) else folder

    def _state(self, directory: str, name: str, status: os.stat_result, descriptor: int) -> State | None:
        """The state, or None for entries that undo ignores: version control, devices, directories that tools can recreate."""
        if name in NOT_OURS:
            if name == ".git":
                self.repositories.add(directory)
            return None
        path = f"{directory.rstrip('/')}/{name}"
        if stat.S_ISDIR(status.st_mode):
            return None if name in REBUILT or path in self._excluded else state_of(status)
        if stat.S_ISLNK(status.st_mode):
            try:
                target = os.readlink(name, dir_fd=descriptor)
            except OSError:
                return None
            return State(status.st_ctime_ns, status.st_ino, status.st_size, status.st_mode, target)
        if not stat.S_ISREG(status.st_mode):
            return None
        if status.st_nlink > 1:
            self.linked.add(directory)
        state = state_of(status)
        if changed_recently(status, self._now):
            data = content_of(path)
            digest = None if data is None else self._save(data)
            return state if digest is None else state._replace(ctime=-1, size=0, value=digest)
        self.new_files.append((path, state))
        return state


def _directories_in(directory: str, folder: Folder) -> list[str]:
    above = directory.rstrip("/")
    return [f"{above}/{name}" for name, state in folder.items() if stat.S_ISDIR(state[3])]


def _drop(directory: str, snapshot: Snapshot) -> None:
    """Remove `directory` and everything below it."""
    waiting = [directory]
    while waiting:
        path = waiting.pop()
        waiting += _directories_in(path, snapshot.pop(path, NOTHING))


def state_in(snapshot: Snapshot, path: str) -> State | None:
    """Return the state of `path` in the snapshot."""
    directory, name = os.path.split(path)
    return snapshot.get(directory, NOTHING).get(name)


def differences(before: Snapshot, after: Snapshot) -> dict[str, tuple[State | None, State | None]]:
    """Return the paths whose state differs, with both states."""
    changed: dict[str, tuple[State | None, State | None]] = {}
    hidden = unseen_in(before) | unseen_in(after)
    for directory in before.keys() | after.keys():
        old, new = before.get(directory, NOTHING), after.get(directory, NOTHING)
        if old is new or is_below(directory, hidden):
            continue
        for name in old.keys() | new.keys():
            was, now = old.get(name), new.get(name)
            if was != now:
                changed[f"{directory.rstrip('/')}/{name}"] = was, now
    return changed


def unseen_in(snapshot: Snapshot) -> frozenset[str]:
    """Return the directories that could not be listed."""
    return frozenset(path for path, folder in snapshot.items() if folder is UNSEEN)


def is_below(path: str, directories: frozenset[str]) -> bool:
    """Whether `path` is one of `directories` or inside one."""
    return bool(directories) and not directories.isdisjoint((path, *map(str, PurePath(path).parents)))


def missing_parents(path: str) -> list[str]:
    """Return the missing directories above `path`, which writing it creates."""
    parents: list[str] = []
    parent = os.path.dirname(path)  # noqa: PTH120 - a text
    while parent not in {"", "/"} and not os.path.lexists(parent):
        parents.append(parent)
        parent = os.path.dirname(parent)  # noqa: PTH120 - same
    return parents
