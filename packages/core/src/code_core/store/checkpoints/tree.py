"""What stands at the paths below some directories, and what changed since one looked last."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

MOST_ENTRIES = 200_000
"""How many files and directories are looked at; of a larger tree, patches alone can be undone."""

LARGEST_FILE = 16 * 2**20
"""The bytes that a file may have to be saved."""

NOT_OURS = frozenset({".git", ".hg", ".svn", ".jj"})
"""What version control keeps, which is never looked at or changed."""

_RECENT = 50_000_000  # ns: a file may change again without its times showing it


class Entry(NamedTuple):
    """What stands at a path.

    Attributes:
        kind: a file, a symbolic link or a directory.
        mode: the permission bits; 0 for a link.
        value: the digest of a file's content, the target of a link. For a content that was not
            saved a `?` and the state of the file, so that a change of it can be told.
    """

    kind: Literal["f", "l", "d"]
    mode: int
    value: str

    @property
    def is_saved(self) -> bool:
        """Whether what stood there can be brought back."""
        return not self.value.startswith("?") or self.kind != "f"


Key = tuple[int, int, int, int]

Snapshot = dict[str, tuple[Key | None, Entry]]
"""By path, what stands there, with the state of the inode in which it was read."""


class TreeTooLarge(Exception):  # noqa: N818 - a state of the tree
    """There are more than `MOST_ENTRIES` files."""


def scan(
    roots: Iterable[Path], excluded: frozenset[str], previous: Snapshot, save: Callable[[bytes], str | None]
) -> Snapshot:
    """What is below `roots`; only files whose inode changed since `previous` are read, and saved.

    Raises:
        TreeTooLarge: there are too many.
    """
    result: Snapshot = {}
    waiting = [os.fspath(root) for root in roots]
    recent = time.time_ns() - _RECENT
    seen = previous.get
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except OSError:
            continue
        with entries:
            for entry in entries:
                path = entry.path
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue
                mode = status.st_mode
                if stat.S_ISDIR(mode):
                    if entry.name in NOT_OURS or path in excluded:
                        continue
                    waiting.append(path)
                    result[path] = (None, Entry("d", stat.S_IMODE(mode), ""))
                    continue
                key = (status.st_ctime_ns, status.st_ino, status.st_size, mode)
                before = seen(path)
                if before is not None and before[0] == key:
                    result[path] = before
                elif entry.name not in NOT_OURS and (found := _read(path, status, save)) is not None:
                    result[path] = (None if status.st_ctime_ns > recent else key, found)
        if len(result) > MOST_ENTRIES:
            raise TreeTooLarge
    return result


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
    for path, old in before.items():
        new = after.get(path)
        if new is not old and (new is None or new[1] != old[1]):
            changed[path] = (old[1], None if new is None else new[1])
    for path in after.keys() - before.keys():
        changed[path] = (None, after[path][1])
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
