"""Restores paths to an earlier state unless they have changed since."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOTDIR
from pathlib import Path
from secrets import token_hex

from code_core.files.directory import open_directory
from code_core.frozen import frozen
from code_core.store.checkpoints.contents import Contents, digest_of
from code_core.store.checkpoints.entries import Changes, Entry, entry_at

CHANGED = "it has changed since"
NOT_SAVED = "it was not saved"
NOT_EMPTY = "it contains other files"


@frozen
class Left:
    """A path that was not restored, and why."""

    path: str
    reason: str


@frozen
class Outcome:
    """The result of an undo or a redo.

    Attributes:
        turn: the turn that was undone or redone.
        restored: the restored paths.
        left: the paths that were not restored, because that would lose someone's work or is not possible.
    """

    turn: str
    restored: tuple[str, ...]
    left: tuple[Left, ...]


def bring_back(changes: Changes, contents: Contents) -> tuple[tuple[str, ...], tuple[Left, ...]]:
    """Restore the earlier entry at each path of `changes` that still has the later one.

    Returns the restored paths and those that were left.

    Raises:
        CheckpointError: a content is missing or damaged; nothing was changed.
    """
    left: dict[str, str] = {}
    wanted: dict[str, Entry | None] = {}
    standing: dict[str, Entry | None] = {}
    for path, (before, after) in changes.items():
        try:
            now = entry_at(path, _unsaved if after is not None and not after.is_saved else digest_of)
        except OSError as error:
            left[path] = error.strerror or "it cannot be read"
            continue
        if now == before:
            continue
        if now != after:
            left[path] = CHANGED
        elif before is not None and not before.is_saved:
            left[path] = NOT_SAVED
        else:
            wanted[path] = before
            standing[path] = now
    for before in wanted.values():
        if before is not None and before.kind == "f":
            contents.get(before.value)  # check all contents before changing anything
    _Restorer(contents, wanted, standing, left).run()
    restored = tuple(sorted(path for path in wanted if path not in left))
    return restored, tuple(Left(path, reason) for path, reason in sorted(left.items()))


class _Restorer:
    def __init__(
        self,
        contents: Contents,
        wanted: dict[str, Entry | None],
        standing: dict[str, Entry | None],
        left: dict[str, str],
    ) -> None:
        self._contents = contents
        self._wanted = wanted
        self._standing = standing
        self._left = left

    def run(self) -> None:
        deepest_first = sorted(self._wanted, reverse=True)
        with _writable(self._closed_directories()):
            for path in deepest_first:  # remove entries first, to make room
                now, before = self._standing[path], self._wanted[path]
                if now is not None and (before is None or before.kind != now.kind):
                    self._try(path, _remove, now)
            for path in sorted(self._wanted):
                before = self._wanted[path]
                if before is not None and path not in self._left:
                    self._try(path, self._put, before)
        for path in deepest_first:
            before = self._wanted[path]
            if before is not None and before.kind == "d" and path not in self._left:
                self._try(path, _set_mode, before)

    def _closed_directories(self) -> list[str]:
        """Directories that must change but are not writable now."""
        parents = {os.path.dirname(path) for path in self._wanted}  # noqa: PTH120 - texts
        return sorted(
            path for path in parents if _is_directory(path) and not os.access(path, os.W_OK | os.X_OK)
        )

    def _try(self, path: str, action: Callable[[str, Entry], None], entry: Entry) -> None:
        try:
            action(path, entry)
        except OSError as error:
            is_full = entry.kind == "d" and _is_directory(path)
            self._left[path] = NOT_EMPTY if is_full else error.strerror or "it cannot be written"

    def _put(self, path: str, entry: Entry) -> None:
        directory, name = os.path.split(path)
        with open_directory(Path(directory)) as parent:
            match entry.kind:
                case "d":
                    with suppress(FileExistsError):
                        os.mkdir(name, 0o700, dir_fd=parent)
                case "l":
                    _replace(parent, name, lambda new: os.symlink(entry.value, new, dir_fd=parent))
                case "f":
                    data = self._contents.get(entry.value)
                    _replace(parent, name, lambda new: _write(parent, new, data, entry.mode))


def _unsaved(_data: bytes) -> None:
    """Store nothing: an unsaved content is identified by the state of its file."""


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114 - a text


def _remove(path: str, entry: Entry) -> None:
    directory, name = os.path.split(path)
    with open_directory(Path(directory)) as parent:
        if entry.kind == "d":
            os.rmdir(name, dir_fd=parent)
        else:
            os.unlink(name, dir_fd=parent)


def _set_mode(path: str, entry: Entry) -> None:
    _change_mode(path, entry.mode)


def _change_mode(path: str, wanted: int | None) -> int:
    """Change a directory's mode, adding all rights for us if `wanted` is None; return the previous mode.

    Raises:
        OSError: it is no longer a directory, or a directory above it is a link.
    """
    above, name = os.path.split(path)
    with open_directory(Path(above)) as parent:
        status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(ENOTDIR, "Not a directory", path)
        mode = stat.S_IMODE(status.st_mode)
        new = mode | 0o700 if wanted is None else wanted
        if new != mode:
            os.chmod(name, new, dir_fd=parent)
        return mode


def _replace(parent: int, name: str, make: Callable[[str], None]) -> None:
    """Create an entry under a temporary name with `make` and rename it to `name` atomically."""
    new = f".code-{token_hex(8)}.tmp"
    try:
        make(new)
        os.replace(new, name, src_dir_fd=parent, dst_dir_fd=parent)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=parent)
        raise


def _write(parent: int, name: str, data: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(descriptor, mode)


@contextmanager
def _writable(directories: Iterable[str]) -> Iterator[None]:
    """Make `directories` writable temporarily."""
    before: list[tuple[str, int]] = []
    for path in directories:
        with suppress(OSError):
            before.append((path, _change_mode(path, None)))
    try:
        yield
    finally:
        for path, mode in reversed(before):
            with suppress(OSError):
                _change_mode(path, mode)
