"""File system entries as checkpoints record them (files, symbolic links, directories), and how to read them."""

import os
import stat
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

LARGEST_FILE = 16 * 2**20
"""Size limit for a file to be saved."""

_PIECE = 2**20
_RECENT = 50_000_000  # ns within which another change may not show in a file's times


class Entry(NamedTuple):
    """An entry at a path, as recorded.

    Attributes:
        kind: a file, a symbolic link or a directory.
        mode: the permission bits; 0 for a link.
        value: the digest of a file's content, or the target of a link. For a content that was not
            saved, a `?` and the file's state, so that later changes can be detected.
    """

    kind: Literal["f", "l", "d"]
    mode: int
    value: str

    @property
    def is_saved(self) -> bool:
        """Whether the entry can be restored."""
        return not self.value.startswith("?") or self.kind != "f"


Changes = Mapping[str, tuple[Entry | None, Entry | None]]
"""By path, the entry before a turn and the entry after it."""


class State(NamedTuple):
    """The state of an inode without its content; while it stays the same, so does the content.

    Attributes:
        ctime: in nanoseconds. Every change updates it, and programs cannot set it. 0 for a directory,
            and -1 for a file that changed so recently that another change may not show.
        inode: its number.
        size: in bytes; 0 for a directory.
        mode: kind and permission bits.
        value: the target of a link, the digest of a recently changed file, otherwise empty.
    """

    ctime: int
    inode: int
    size: int
    mode: int
    value: str = ""

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, not a link to one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    def entry(self, digest: str | None = None) -> Entry:
        """The entry to record, with the digest of a file's content if it is saved."""
        permissions = stat.S_IMODE(self.mode)
        if self.is_directory:
            return Entry("d", permissions, "")
        if stat.S_ISLNK(self.mode):
            return Entry("l", 0, self.value)
        return Entry("f", permissions, digest or f"?{self.ctime}:{self.inode}:{self.size}")


def state_of(status: os.stat_result) -> State:
    """Return the state of an inode that is not a link."""
    if stat.S_ISDIR(status.st_mode):
        return State(0, status.st_ino, 0, status.st_mode)
    return State(status.st_ctime_ns, status.st_ino, status.st_size, status.st_mode)


def changed_recently(status: os.stat_result, now: int) -> bool:
    """Whether the file system's clock may be too coarse to show another change right after `now`."""
    return status.st_ctime_ns > now - _RECENT


def entry_at(path: str, save: Callable[[bytes], str | None]) -> Entry | None:
    """Return the entry at `path` itself, or None if there is none or its kind is not saved (devices, sockets).

    Raises:
        OSError: it is not accessible.
    """
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return Entry("l", 0, os.readlink(path))  # noqa: PTH115 - a text
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISDIR(status.st_mode):
        return state_of(status).entry()
    if not stat.S_ISREG(status.st_mode):
        return None
    data = content_of(path) if status.st_size <= LARGEST_FILE else None
    return state_of(status).entry(None if data is None else save(data))


def content_of(path: str, expected: State | None = None) -> bytes | None:
    """Return the content of the file at `path`, or None if it is too large, unreadable, or in another state.

    Without an expected state, any state is accepted.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or (expected is not None and state_of(status) != expected):
            return None
        parts: list[bytes] = []
        size = 0
        wanted = min(status.st_size, LARGEST_FILE) + 1
        while part := os.read(descriptor, wanted):
            parts.append(part)
            size += len(part)
            if size > LARGEST_FILE:
                return None
            wanted = _PIECE
        if expected is not None and state_of(os.fstat(descriptor)) != expected:
            return None
        return parts[0] if len(parts) == 1 else b"".join(parts)
    except OSError:
        return None
    finally:
        os.close(descriptor)
