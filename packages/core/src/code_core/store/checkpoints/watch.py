"""Reports in which directories something changed, using inotify(7).

This makes the cost of a scan proportional to the changes instead of the size of the tree. Writes through a
memory map send no event, and neither do writes through a hard link elsewhere; callers must scan such
directories every time, where they know them.
"""

import errno
import os
import struct
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path

MOST_WATCHED = 20_000
"""Directories watched per session; the user's limit covers all of their programs."""

_SHARE = 4
"""We use this fraction of the user's limit: one in `_SHARE`."""

_LOCAL = frozenset(
    {"bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "vfat", "xfs", "zfs"}
)
"""File systems that change only through this kernel; on others, remote changes send no event."""

_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF = 0x400
_UNMOUNT, _OVERFLOW, _IGNORED = 0x2000, 0x4000, 0x8000
_ONLY_DIRECTORIES, _NO_LINKS = 0x1000000, 0x2000000
_WANTED = (
    _MODIFY
    | _ATTRIB
    | _CLOSE_WRITE
    | _MOVED_FROM
    | _MOVED_TO
    | _CREATE
    | _DELETE
    | _DELETE_SELF
    | _ONLY_DIRECTORIES
    | _NO_LINKS
)
_EVENT = struct.Struct("iIII")
_READ = 2**18
_MOUNTS = Path("/proc/self/mountinfo")
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")


class Watch:
    """Watches directories below `roots`, which the caller adds as it finds them.

    Raises:
        OSError: these roots cannot be watched, or not now.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        if sys.platform != "linux":
            raise OSError(errno.ENOSYS, "Not available on this system")
        from code_process_hardening import libc  # loads libc bindings, which few processes need

        self._roots = tuple(roots)
        self._mounts = _mounts(self._roots)
        if not all(kind in _LOCAL for _, kind in self._mounts):
            raise OSError(errno.ENOTSUP, "Files may change elsewhere")
        self._most = min(MOST_WATCHED, int(_LIMIT.read_text()) // _SHARE)
        self._libc = libc
        self._identities = [_identity(root) for root in self._roots]
        self._directories: dict[int, str] = {}
        self._descriptor = libc.inotify_init()
        self.close = weakref.finalize(self, os.close, self._descriptor)

    def add(self, directory: str) -> None:
        """Watch `directory` from now on; one that is missing or not accessible cannot change.

        Raises:
            OSError: too many directories are watched.
        """
        if len(self._directories) >= self._most:
            raise OSError(errno.ENOSPC, "Too many directories")
        try:
            number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), _WANTED)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        except OSError as error:
            if error.errno == errno.ELOOP:
                return
            raise
        self._directories[number] = directory  # under its new name, if it was moved

    def changed(self) -> set[str] | None:
        """Return the directories with changes since the last call, or None if unknown.

        Raises:
            OSError: the events cannot be read.
        """
        if _mounts(self._roots) != self._mounts:
            raise OSError(errno.ENOTSUP, "Something was mounted")
        result: set[str] = set()
        # Moving a directory above a root puts a different directory at the root's path.
        identities = [_identity(root) for root in self._roots]
        lost = identities != self._identities
        self._identities = identities
        while True:
            try:
                data = os.read(self._descriptor, _READ)
            except BlockingIOError:
                return None if lost else result
            offset = 0
            while offset < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size + length
                if mask & (_OVERFLOW | _UNMOUNT):
                    lost = True
                directory = (
                    self._directories.pop(number, None) if mask & _IGNORED else self._directories.get(number)
                )
                if directory is not None:
                    result.add(directory)


def _identity(root: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(root)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _mounts(roots: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The mounts that contain `roots` or are below them, with their kinds; see proc_pid_mountinfo(5).

    Raises:
        OSError: the system does not report them.
    """
    found: list[tuple[str, str]] = []
    for line in _MOUNTS.read_bytes().splitlines():
        mount, _, rest = line.partition(b" - ")
        path = mount.split()[4].decode("unicode_escape").encode("latin-1")  # spaces are encoded as \\040
        found.append((os.fsdecode(path), rest.split()[0].decode("ascii", "replace")))
    holding = set()
    for root in roots:
        above = [number for number, (path, _) in enumerate(found) if Path(root).is_relative_to(path)]
        if not above:
            raise OSError(errno.ENOENT, "No file system is mounted", root)
        holding.add(max(above, key=lambda number: (len(found[number][0]), number)))
        holding |= {
            number for number, (path, _) in enumerate(found) if path.startswith(f"{root.rstrip('/')}/")
        }
    return tuple(found[number] for number in sorted(holding))
