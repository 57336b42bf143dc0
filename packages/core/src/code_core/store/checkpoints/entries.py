"""What can stand at a path: a file, a symbolic link or a directory; and reading it."""

import os
import stat
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

LARGEST_FILE = 16 * 2**20
"""The bytes that a file may have to be saved."""

_PIECE = 2**20
_RECENT = 50_000_000  # ns: a file may change again without its times showing it


class Entry(NamedTuple):
    """What stands at a path, as it is recorded.

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


Changes = Mapping[str, tuple[Entry | None, Entry | None]]
"""By path, what stood there before a turn and what stands there after it."""


class State(NamedTuple):
    """What the inode at a path shows without being read: as long as it stays the same, so does the content.

    Attributes:
        ctime: in nanoseconds. It changes with everything, and no program can set it. 0 for a
            directory, and -1 for a file that changed so recently that another change may not show.
        inode: its number.
        size: in bytes; 0 for a directory.
        mode: kind and permission bits.
        value: the target of a link, the digest of a file that changed recently, else empty.
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
        """What to record of it, with the digest of a file's content if that is saved."""
        permissions = stat.S_IMODE(self.mode)
        if self.is_directory:
            return Entry("d", permissions, "")
        if stat.S_ISLNK(self.mode):
            return Entry("l", 0, self.value)
        return Entry("f", permissions, digest or f"?{self.ctime}:{self.inode}:{self.size}")


def state_of(status: os.stat_result) -> State:
    """The state of an inode that is not a link."""
    if stat.S_ISDIR(status.st_mode):
        return State(0, status.st_ino, 0, status.st_mode)
    return State(status.st_ctime_ns, status.st_ino, status.st_size, status.st_mode)


def changed_recently(status: os.stat_result, now: int) -> bool:
    """Whether the clock of the file system may be too coarse to show a change that follows at `now`."""
    return status.st_ctime_ns > now - _RECENT


def entry_at(path: str, save: Callable[[bytes], str | None]) -> Entry | None:
    """What stands at `path` itself; None for nothing, and for what is not saved: devices, sockets.

    Raises:
        OSError: it may not be seen.
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
    """The content of the file at `path`; None if it is too large, cannot be read, or is in another state.

    That no state is expected means that any will do.
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
