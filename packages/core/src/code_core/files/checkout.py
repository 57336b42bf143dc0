"""Reads files of a checkout, assuming that an attacker wrote it.

Only regular files owned by the user (or root) below the checkout's root are read. They are reached through
descriptors, one component at a time: links are followed by hand, and only to targets below the root that
pass the same checks. Nothing here blocks on a FIFO, reads a device, or reads without a limit.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import TypeVar

from code_core.files.directory import KERNEL
from code_core.frozen import frozen

T = TypeVar("T")

MOST_LINKS = 8
LARGEST_FILE = 4 * 2**20
"""A larger file was not written by hand and is not read at all."""
MOST_NAMES = 1_000
SECONDS = 2.0

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_FOLDER = _READ | os.O_DIRECTORY


class DistrustedFileError(Exception):
    """A file of a checkout is not read; the message names it and says why."""


def own_ids() -> frozenset[int]:
    """The users whose files are trusted: the user and root."""
    return frozenset({os.geteuid(), 0})


@frozen
class Checkout:
    """A directory that may contain files from anyone.

    Attributes:
        root: nothing outside it is read.
        owners: the users whose files are read.
    """

    root: Path
    owners: frozenset[int]

    def read(self, path: Path, limit: int = LARGEST_FILE) -> bytes | None:
        """Return the first `limit` bytes of the file at `path` below the root, or None if it does not exist.

        Raises:
            DistrustedFileError: it exists but must not or cannot be read.
        """
        try:
            with self._opened(path) as (name, directory):
                return self._contents(path, name, directory, limit)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DistrustedFileError(f"{path} is not read: {error.strerror}") from error

    def names(self, path: Path) -> list[str]:
        """Return the names in the directory at `path`, sorted; empty if it does not exist.

        Raises:
            DistrustedFileError: it exists but must not or cannot be read, or contains more than 1,000 names.
        """
        try:
            with self._opened(path) as (name, directory):
                folder = os.open(name, _FOLDER, dir_fd=directory)
                try:
                    self._check_owner(path, os.fstat(folder))
                    with os.scandir(folder) as entries:
                        names = [entry.name for entry, _ in zip(entries, range(MOST_NAMES + 1), strict=False)]
                finally:
                    os.close(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise DistrustedFileError(f"{path} is not read: {error.strerror}") from error
        if len(names) > MOST_NAMES:
            raise DistrustedFileError(f"{path} is not read: it has more than {MOST_NAMES:,} files")
        return sorted(names)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[tuple[str, int]]:
        """The last component of `path`, with links resolved, and a descriptor of its directory."""
        real_root = Path(os.path.realpath(self.root))
        if any(real_root.is_relative_to(kernel) for kernel in KERNEL):
            raise DistrustedFileError(f"{path} is not read: {real_root} is not on a disk")
        waiting = list(reversed(path.relative_to(self.root).parts)) or ["."]
        links = 0
        with ExitStack() as opened:
            base = os.open(real_root, _FOLDER)
            opened.callback(os.close, base)
            self._check_owner(path, os.fstat(base))
            above = [base]
            while True:
                name = waiting.pop()
                if name == "..":
                    above.pop()
                    if not above:
                        raise DistrustedFileError(f"{path} is not read: it is a link out of {self.root}")
                    name = "."
                status = os.stat(name, dir_fd=above[-1], follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    links += 1
                    if links > MOST_LINKS:
                        raise DistrustedFileError(f"{path} is not read: it leads through too many links")
                    self._check_owner(path, status)
                    target = os.readlink(name, dir_fd=above[-1])
                    if target.startswith("/"):
                        inside = self._inside(path, target, real_root)
                        del above[1:]
                        target = str(inside)
                    waiting.extend(part for part in reversed(target.split("/")) if part not in {"", "."})
                    if not waiting:
                        waiting.append(".")
                    continue
                if not waiting:
                    yield name, above[-1]
                    return
                if name == ".":
                    continue
                below = os.open(name, _FOLDER, dir_fd=above[-1])
                opened.callback(os.close, below)
                self._check_owner(path, os.fstat(below))
                above.append(below)

    def _inside(self, path: Path, target: str, real_root: Path) -> Path:
        for root in (real_root, self.root):
            with suppress(ValueError):
                return Path(os.path.normpath(target)).relative_to(root)
        raise DistrustedFileError(f"{path} is not read: it is a link out of {self.root}")

    def _contents(self, path: Path, name: str, directory: int, limit: int) -> bytes:
        # Checked first, because opening a device can have side effects.
        self._check_file(path, os.stat(name, dir_fd=directory, follow_symlinks=False))
        with os.fdopen(os.open(name, _READ, dir_fd=directory), "rb", buffering=0) as file:
            self._check_file(path, os.fstat(file.fileno()))  # it may have been replaced
            data = bytearray()
            while len(data) < limit and (piece := file.read(limit - len(data))):
                data += piece
        if b"\0" in data:
            raise DistrustedFileError(f"{path} is not read: it is not text")
        return bytes(data)

    def _check_file(self, path: Path, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise DistrustedFileError(f"{path} is not read: it is not a regular file")
        self._check_owner(path, status)
        if status.st_size > LARGEST_FILE:
            raise DistrustedFileError(f"{path} is not read: it is larger than {LARGEST_FILE // 2**20} MiB")

    def _check_owner(self, path: Path, status: os.stat_result) -> None:
        if status.st_uid not in self.owners:
            raise DistrustedFileError(
                f"{path} is not read: it, or a directory it is in, belongs to another user ({status.st_uid})"
            )


def within_seconds(what: str, function: Callable[[], T], seconds: float = SECONDS) -> T:
    """Return the result of `function`, without hanging if its reads do (on a network or user-space file system).

    Raises:
        DistrustedFileError: it took longer than `seconds`; says that `what` is not read. Its thread is abandoned.
        Exception: any exception from `function`.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again by the waiting thread
            errors.append(error)

    thread = Thread(target=run, name=f"reads {what}", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise DistrustedFileError(f"{what} is not read: that takes longer than {seconds:g} s")
    return results[0]
