"""Replaces files atomically, so that incomplete content is never visible."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from errno import EACCES, EBUSY, EEXIST, EINVAL, EISDIR, ENOTSUP, EPERM, EROFS
from pathlib import Path
from secrets import token_hex

from code_core.files.attributes import Attributes, attributes_of, set_attributes
from code_core.files.directory import open_directory, symlink_error

NEW_FILE_MODE = 0o666
_PRIVATE = 0o600
_NO_FILE_BESIDE = frozenset({EACCES, EPERM, EROFS})
_NO_LINKS_HERE = frozenset({EPERM, ENOTSUP, EACCES, EINVAL})


def replace_file(path: Path, data: bytes, new_mode: int | None = None) -> None:
    """Write a new file next to `path` and rename it; missing directories are created.

    Args:
        path: without symlinks.
        data: the new content.
        new_mode: permissions for a new file, instead of those from the umask.

    Raises:
        OSError: it could not be written and is unchanged.
    """
    with open_directory(path.parent, create=True) as directory:
        before = status_of_old(path, directory)
        if before is None:
            swap_in(path, directory, data, new_mode, None, new=True)
            return
        kept = attributes_of(f"/proc/self/fd/{directory}/{path.name}")
        mode, owner = before.st_mode & 0o777, (before.st_uid, before.st_gid)
        swap_in(path, directory, data, mode, owner, new=False, attributes=kept)


def swap_in(
    path: Path,
    directory: int,
    data: bytes,
    mode: int | None,
    owner: tuple[int, int] | None,
    *,
    new: bool,
    attributes: Attributes = (),
    check: Callable[[], None] = lambda: None,
) -> None:
    """Put a file with `data` at `path`, whose directory is open as `directory`.

    A new file never replaces another that appeared in the meantime. A file that cannot be replaced,
    because it is a mount point or its directory is not writable, is overwritten in place; if that
    fails, its old content is written back.

    Args:
        path: without symlinks.
        directory: a descriptor of its directory.
        data: the new content.
        mode: the permissions; None for those from the umask.
        owner: user and group; only the superuser may give files away.
        new: whether the file must not exist yet.
        attributes: extended attributes, as far as the file system allows.
        check: called right before the swap; an exception from it cancels the swap.

    Raises:
        FileExistsError: it is not `new`.
        OSError: it could not be written and is unchanged.
    """
    temporary = f".code-{token_hex(8)}.tmp"
    try:
        descriptor = open_file(
            temporary, directory, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _first_mode(mode, new=new)
        )
    except OSError as error:
        if new or error.errno not in _NO_FILE_BESIDE:
            raise
        check()
        _overwrite(path, directory, data)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if owner is not None:
                with suppress(PermissionError):
                    os.fchown(descriptor, *owner)
            set_attributes(descriptor, attributes)
            if mode is not None:
                os.fchmod(
                    descriptor, mode & 0o777
                )  # restores bits removed by the umask, without setuid and setgid
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
    """Return the status of the file to replace, or None for a new one.

    Raises:
        OSError: it is not a regular file or not writable.
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
    """Return the status of the file or link `path.name` in the open `directory`."""
    return os.stat(path.name or ".", dir_fd=directory, follow_symlinks=False)


def check_regular(path: Path, status: os.stat_result) -> None:
    """Reject anything but a regular file.

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
    """Open a file in the open `directory` and return its descriptor; a symlink is an error."""
    return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=directory)


def _first_mode(mode: int | None, *, new: bool) -> int:
    """The mode while the file is being written, readable only by those who may read it afterwards."""
    return NEW_FILE_MODE if new and mode is None else _PRIVATE


def _name_new(temporary: str, path: Path, directory: int) -> None:
    """Rename the file unless the name is taken.

    Raises:
        FileExistsError: the name is taken.
    """
    try:
        os.link(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS_HERE:
            raise
        with suppress(FileNotFoundError):  # without hard links, a moment passes between the two
            status_of(path, directory)
            raise FileExistsError(EEXIST, "File exists", str(path)) from None
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)


def _overwrite(path: Path, directory: int, data: bytes) -> None:
    """Write into the existing file; its old content is restored if that fails."""
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
