"""What stands at the paths below some directories, and what changed since one looked last."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

MOST_ENTRIES = 20_000
MOST_READ = 128 * 2**20
"""How many files and directories are looked at, and how many bytes are read and saved each time.

Of a larger tree, patches alone can be undone: a first look would hold up the first command for seconds.
"""

LARGEST_FILE = 16 * 2**20
"""The bytes that a file may have to be saved."""

NOT_OURS = frozenset({".git", ".hg", ".svn", ".jj"})
"""What version control keeps, which is never looked at or changed."""

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
"""Directories that tools fill and can fill again: nothing in them is looked at for what commands change."""

_NOTHING: "Folder" = {}
_RECENT = 50_000_000  # ns: a file may change again without its times showing it


class Entry(NamedTuple):
    """What stands at a path.

    Attributes:
        kind: a file, a symbolic link or a directory.
        mode: the permission bits; 0 for a link.
        value: the digest of a file's content, the target of a link. For a content that was not
            saved a `?` and the state of the file, so that a later change can be detected.
    """

    kind: Literal["f", "l", "d"]
    mode: int
    value: str

    @property
    def is_saved(self) -> bool:
        """Whether what stood there can be brought back."""
        return not self.value.startswith("?") or self.kind != "f"


Folder = dict[str, tuple[int, int, int, Entry]]
"""By name, what stands in a directory, with the state of the inode in which it was read: ctime, inode, size.

The ctime alone changes with everything; it is -1 where it cannot be relied on.
"""

Snapshot = dict[str, Folder]
"""By directory. A directory in which nothing changed is the same object as before."""


class TreeTooLarge(Exception):  # noqa: N818 - a state of the tree
    """There are more than `MOST_ENTRIES` files, or there is more than `MOST_READ` to read."""


def scan(
    roots: Iterable[Path], excluded: frozenset[str], previous: Snapshot, save: Callable[[bytes], str | None]
) -> Snapshot:
    """What is below `roots`; only files whose inode changed since `previous` are read, and saved.

    Raises:
        TreeTooLarge: there are too many.
    """
    scanner = _Scan(excluded, save)
    result: Snapshot = {}
    waiting = [os.fspath(root) for root in roots]
    while waiting:
        directory = waiting.pop()
        before = previous.get(directory)
        folder = scanner.folder(directory, before or _NOTHING, waiting)
        if folder is not None:
            result[directory] = folder
    return result


class _Scan:
    def __init__(self, excluded: frozenset[str], save: Callable[[bytes], str | None]) -> None:
        self._excluded = excluded
        self._save = save
        self._recent = time.time_ns() - _RECENT
        self._left = MOST_ENTRIES
        self._unread = MOST_READ

    def folder(self, directory: str, before: Folder, waiting: list[str]) -> Folder | None:
        """What stands in `directory`, `before` itself if that is the same; None for one that cannot be read.

        The directories in it are added to `waiting`.
        """
        folder: Folder = {}
        same = True
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:  # deleted meanwhile
                        continue
                    name = entry.name
                    old = before.get(name)
                    # This condition and the `stat` above, 50,000 times, are what a turn costs.
                    if (
                        old is not None
                        and old[0] == status.st_ctime_ns
                        and old[1] == status.st_ino
                        and old[2] == status.st_size
                    ):
                        folder[name] = old
                        continue
                    new = self._looked_at(entry, status, waiting)
                    if new is not None:
                        unchanged = old is not None and old[0] == new[0] == -1 and old[3] == new[3]
                        folder[name] = old if old is not None and unchanged else new
                        same = same and unchanged
                        if len(folder) > self._left:
                            raise TreeTooLarge
        except OSError:
            return None
        self._left -= len(folder)
        return before if same and before is not _NOTHING and len(folder) == len(before) else folder

    def _looked_at(
        self, entry: "os.DirEntry[str]", status: os.stat_result, waiting: list[str]
    ) -> tuple[int, int, int, Entry] | None:
        if entry.name in NOT_OURS:
            return None
        if stat.S_ISDIR(status.st_mode):
            if entry.name in REBUILT or entry.path in self._excluded:
                return None
            waiting.append(entry.path)
            # Looked at each time, for nothing else tells whether something in it changed.
            return -1, status.st_ino, status.st_size, Entry("d", stat.S_IMODE(status.st_mode), "")
        self._unread -= min(status.st_size, LARGEST_FILE)
        if self._unread < 0:
            raise TreeTooLarge
        read = _read(entry.path, status, self._save)
        if read is None:
            return None
        ctime = -1 if status.st_ctime_ns > self._recent else status.st_ctime_ns
        return ctime, status.st_ino, status.st_size, read


def standing_in(snapshot: Snapshot, path: str) -> Entry | None:
    """What stood at `path`."""
    directory, name = os.path.split(path)
    entry = snapshot.get(directory, _NOTHING).get(name)
    return None if entry is None else entry[3]


def entry_at(path: str, save: Callable[[bytes], str | None]) -> Entry | None:
    """What stands at `path` itself; None for nothing, and for what is not saved: devices, sockets.

    Raises:
        OSError: it may not be seen.
    """
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return Entry("d", stat.S_IMODE(status.st_mode), "")
    return _read(path, status, save)


def _read(path: str, status: os.stat_result, save: Callable[[bytes], str | None]) -> Entry | None:
    if stat.S_ISLNK(status.st_mode):
        try:
            return Entry("l", 0, os.readlink(path))  # noqa: PTH115 - same
        except OSError:
            return None
    if not stat.S_ISREG(status.st_mode):
        return None
    data = _content(path) if status.st_size <= LARGEST_FILE else None
    digest = None if data is None else save(data)
    if digest is None:
        digest = f"?{status.st_ctime_ns}:{status.st_ino}:{status.st_size}"
    return Entry("f", stat.S_IMODE(status.st_mode), digest)


def _content(path: str) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            parts = []
            size = 0
            while part := file.read(LARGEST_FILE + 1 - size):
                parts.append(part)
                size += len(part)
            return None if size > LARGEST_FILE else b"".join(parts)
    except OSError:
        return None


def differences(before: Snapshot, after: Snapshot) -> dict[str, tuple[Entry | None, Entry | None]]:
    """The paths at which something else stands."""
    changed: dict[str, tuple[Entry | None, Entry | None]] = {}
    for directory in before.keys() | after.keys():
        old, new = before.get(directory, _NOTHING), after.get(directory, _NOTHING)
        if old is new:
            continue
        for name in old.keys() | new.keys():
            was, now = old.get(name), new.get(name)
            if was is now or (was is not None and now is not None and was[3] == now[3]):
                continue
            path = os.path.join(directory, name)  # noqa: PTH118 - texts
            changed[path] = (None if was is None else was[3], None if now is None else now[3])
    return changed


def missing_parents(path: str) -> list[str]:
    """The directories above `path` that do not exist: writing it makes them."""
    parents: list[str] = []
    parent = os.path.dirname(path)  # noqa: PTH120 - same
    while parent not in {"", "/"} and not os.path.lexists(parent):
        parents.append(parent)
        parent = os.path.dirname(parent)  # noqa: PTH120 - same
    return parents


Changes = Mapping[str, tuple[Entry | None, Entry | None]]
"""By path, what stood there before a turn and what stands there after it."""
