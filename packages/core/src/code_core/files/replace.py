"""Replaces files in one step, so that nobody sees one half-written."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENOTSUP, EPERM, EROFS
from pathlib import Path
from secrets import token_hex

from code_core.files.directory import open_directory, symlink_error

NEW_FILE_MODE = 0o666
_PRIVATE = 0o600
_NO_FILE_BESIDE = frozenset({EACCES, EPERM, EROFS})
_NO_LINKS_HERE = frozenset({EPERM, ENOTSUP, EACCES, EINVAL})


def replace_file(path: Path, data: bytes, new_mode: int | None = None) -> None:
    """Write a new file next to `path` and give it that name; missing directories are made.

    Args:
        path: without symlinks in it.
        data: what the file will hold.
        new_mode: the permissions of a file that is new, instead of what the umask leaves.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    with open_directory(path.parent, create=True) as directory:
        before = status_of_old(path, directory)
        if before is None:
            mode, owner = new_mode, None
        else:
            mode, owner = before.st_mode & 0o777, (before.st_uid, before.st_gid)
        swap_in(path, directory, data, mode, owner, new=before is None)


def swap_in(
    path: Path,
    directory: int,
    data: bytes,
    mode: int | None,
    owner: tuple[int, int] | None,
    *,
    new: bool,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Put a file with `data` at `path`, whose directory is open as `directory`.

    A new file never takes the place of another that appeared meanwhile. A file that cannot be
    replaced, because it is a mount point or nothing may be created next to it, is overwritten
    where it is; if that fails, its old bytes are written back.

    Args:
        path: without symlinks in it.
        directory: a descriptor of its directory.
        data: what the file will hold.
        mode: the permissions; None for those that the umask leaves.
        owner: user and group; only the superuser may give files away.
        new: nothing has that name.
        check: called when all is ready, right before the swap; what it raises stops it.

    Raises:
        FileExistsError: it is not `new`.
        OSError: it cannot be written, and is as it was.
    """
    temporary = f".code-{token_hex(8)}.tmp"
    try:
        made = open_file(
            temporary, directory, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _first_mode(mode, new=new)
        )
    except OSError as error:
        if new or error.errno not in _NO_FILE_BESIDE:
            raise
        check()
        _overwrite(path, directory, data)
        return
    try:
        with os.fdopen(made, "wb") as file:
            file.write(data)
            if owner is not None:
                with suppress(PermissionError):
                    os.fchown(made, *owner)
            if mode is not None:
                os.fchmod(made, mode & 0o777)  # what the umask took; no program gets its owner's rights
        check()
        if new:
            _name_new(temporary, path, directory)
            return
        try:
            os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except OSError as error:
            if error.errno != EBUSY:  # a mount point
                raise
            _overwrite(path, directory, data)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)


def status_of_old(path: Path, directory: int) -> os.stat_result | None:
    """The state of the file that is replaced; None for a new one.

    Raises:
        OSError: it is not a regular file, or it may not be written.
    """
    try:
        status = status_of(path, directory)
    except FileNotFoundError:
        return None
    check_regular(path, status)
    if not os.access(path.name, os.W_OK, dir_fd=directory):
        raise PermissionError(EACCES, "Permission denied", str(path))
    return status


def status_of(path: Path, directory: int) -> os.stat_result:
    """The state of the file or link called `path.name` in the open `directory`."""
    return os.stat(path.name or ".", dir_fd=directory, follow_symlinks=False)


def check_regular(path: Path, status: os.stat_result) -> None:
    """Refuse anything but a regular file.

    Raises:
        OSError: says what it is.
    """
    if stat.S_ISLNK(status.st_mode):
        raise symlink_error(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(EINVAL, "Not a regular file", str(path))


def open_file(name: str, directory: int, flags: int, mode: int = NEW_FILE_MODE) -> int:
    """A descriptor of a file in the open `directory`; a symlink is an error."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)


def _first_mode(mode: int | None, *, new: bool) -> int:
    """The mode of a file while it is written: nobody may read it who may not read it afterwards."""
    return NEW_FILE_MODE if new and mode is None else _PRIVATE


def _name_new(temporary: str, path: Path, directory: int) -> None:
    """Give the file its name unless there is such a file.

    Raises:
        FileExistsError: there is.
    """
    try:
        os.link(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        with suppress(FileNotFoundError):  # a disk without hard links leaves a moment between the two
            status_of(path, directory)
            raise FileExistsError(EEXIST, "File exists", str(path)) from None
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)


def _overwrite(path: Path, directory: int, data: bytes) -> None:
    """Write into the file itself; its old bytes come back if that fails."""
    with os.fdopen(open_file(path.name, directory, os.O_RDWR), "r+b", buffering=0) as file:
        old = file.readall()
        try:
            _fill(file.fileno(), data)
        except BaseException:
            _fill(file.fileno(), old)
            raise


def _fill(descriptor: int, data: bytes) -> None:
    """Make `data` the content of an open file."""
    view, done = memoryview(data), 0
    while done < len(data):
        done += os.pwrite(descriptor, view[done:], done)
    os.ftruncate(descriptor, len(data))
