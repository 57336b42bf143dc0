"""Opens directories by descriptor, so that they cannot be replaced while in use."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import ELOOP, ENOTDIR
from pathlib import Path

KERNEL = (Path("/proc"), Path("/sys"))  # not real files, and /proc exposes the environment of this process

# O_PATH (Linux) needs permission to traverse a directory, but not to list it.
_OPEN = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


@contextmanager
def open_directory(path: Path, *, create: bool = False, mode: int = 0o777) -> Iterator[int]:
    """Open the directory at the absolute `path` and yield a descriptor for the `dir_fd` of calls in `os`.

    Descends from the root without following symlinks: if one is moved there meanwhile, the result is
    an error, not a file somewhere else. With `create`, missing directories are created with `mode`,
    restricted by the umask.

    Raises:
        OSError: it does not exist, is not accessible, or has a symlink in its path.
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
    """Return the error for a symlink that appeared after `path` was resolved."""
    return OSError(ELOOP, "It, or a directory above it, has become a symbolic link", str(path))


def _make(name: str, directory: int, mode: int) -> None:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another process may create it first
            os.mkdir(name, mode, dir_fd=directory)


def _open(name: str, directory: int, path: Path) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=directory)
    except OSError as error:
        if error.errno not in {ENOTDIR, ELOOP}:  # the error for a symlink differs between systems
            raise
        if stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise symlink_error(path) from None
        raise NotADirectoryError(ENOTDIR, "Not a directory", str(path)) from None
