"""Directories that are held open, so that nothing can be put in their place."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, ENOTDIR
from pathlib import Path

KERNEL = (Path("/proc"), Path("/sys"))  # not files, and /proc has the environment of this process

# O_PATH (Linux) needs no right to list a directory, only to go through it.
_OPEN = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


@contextmanager
def open_directory(path: Path, *, create: bool = False, mode: int = 0o777) -> Iterator[int]:
    """A descriptor of the directory at the absolute `path`, for the `dir_fd` of calls in `os`.

    Goes down from the root and takes no symlink on the way: who moves one there
    meanwhile gets an error, not a file somewhere else. With `create`, missing
    directories are made, with the permissions that the umask leaves of `mode`.

    Raises:
        OSError: it does not exist, it may not be entered, or there is a symlink in `path`.
    """
    directory = os.open(path.anchor, _OPEN)
    try:
        for name in path.relative_to(path.anchor).parts:
            if create:
                _make(name, directory, mode)
            below = _open(name, directory, path)
            os.close(directory)
            directory = below
        yield directory
    finally:
        os.close(directory)


def symlink_error(path: Path) -> OSError:
    """The error for a symlink that was not there when `path` was resolved."""
    return OSError(ELOOP, "It, or a directory above it, has become a symbolic link", str(path))


def _make(name: str, directory: int, mode: int) -> None:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another was faster
            os.mkdir(name, mode, dir_fd=directory)


def _open(name: str, directory: int, path: Path) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=directory)
    except OSError as error:
        if error.errno not in {ENOTDIR, ELOOP}:  # systems differ in what they say of a symlink
            raise
        if stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise symlink_error(path) from None
        raise NotADirectoryError(ENOTDIR, "Not a directory", str(path)) from None
