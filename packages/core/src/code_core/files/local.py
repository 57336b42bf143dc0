"""The local file system: reads and replaces whole files."""

import os
import stat
from contextlib import suppress
from errno import EFBIG, EINVAL, EISDIR
from functools import partial
from pathlib import Path
from secrets import token_hex

import anyio

from code_core.files.attributes import attributes_of
from code_core.files.directory import KERNEL, open_directory, symlink_error
from code_core.files.replace import check_regular, open_file, status_of, status_of_old, swap_in
from code_core.patch.filesystem import FileChangedError, FileState, check_expected

LARGEST_FILE = 64 * 2**20


class LocalFileSystem:
    """See `code_core.patch.FileSystem`; files are read and written in threads.

    A file that is not writable is not replaced. Its other hard links keep the old content, unless the
    file had to be overwritten in place (see `swap_in`).

    A few microseconds pass between comparing a file with the expected one and replacing it, which no
    POSIX system call can avoid. A new file never replaces another.
    """

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`."""
        return Path(os.path.realpath(path))  # takes microseconds, less than a thread

    async def read(self, path: Path) -> FileState | None:
        """See `FileSystem.read`.

        Raises:
            OSError: it is not a regular file or link, is not readable, or is larger than 64 MiB.
        """
        return await anyio.to_thread.run_sync(_read, path)

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """See `FileSystem.replace`."""
        await anyio.to_thread.run_sync(_replace, path, new, expected)

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`."""
        await anyio.to_thread.run_sync(_delete, path, expected)


def _read(path: Path) -> FileState | None:
    if any(path.is_relative_to(folder) for folder in KERNEL):
        raise OSError(EINVAL, "Not a file on a disk", str(path))
    try:
        with open_directory(path.parent) as directory:
            return _state(path, directory)
    except FileNotFoundError:
        return None


def _replace(path: Path, new: FileState, expected: FileState | None) -> None:
    try:
        with open_directory(path.parent, create=expected is None) as directory:
            if new.link or (expected is not None and expected.link):
                _replace_link(path, directory, new, expected)
                return
            before = status_of_old(path, directory)
            mode, owner = new.mode, new.owner
            if before is not None:
                mode = stat.S_IMODE(before.st_mode) if mode is None else mode
                owner = owner or (before.st_uid, before.st_gid)
            check = partial(_check, path, directory, expected)
            if before is None:
                check()
            kept = new.attributes
            swap_in(path, directory, new.data, mode, owner, new=before is None, attributes=kept, check=check)
    except FileExistsError:
        raise FileChangedError(path, None, None) from None
    except FileNotFoundError:
        if expected is None:
            raise
        raise FileChangedError(path, expected, None) from None


def _replace_link(path: Path, directory: int, new: FileState, expected: FileState | None) -> None:
    """Replace a file or nothing with a link, or a link with a file."""
    _check(path, directory, expected)
    temporary = f".code-{token_hex(8)}.tmp"
    try:
        if new.link:
            os.symlink(new.data, os.fsencode(temporary), dir_fd=directory)
        else:
            swap_in(
                path.with_name(temporary),
                directory,
                new.data,
                new.mode,
                new.owner,
                new=True,
                attributes=new.attributes,
            )
        os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _delete(path: Path, expected: FileState) -> None:
    try:
        with open_directory(path.parent) as directory:
            if stat.S_ISDIR(status_of(path, directory).st_mode):
                raise IsADirectoryError(EISDIR, "Is a directory", str(path))
            _check(path, directory, expected)
            os.unlink(path.name, dir_fd=directory)
    except FileNotFoundError:
        raise FileChangedError(path, expected, None) from None


def _check(path: Path, directory: int, expected: FileState | None) -> None:
    """Compare the file with the expected one.

    Raises:
        FileChangedError: it differs.
    """
    try:
        now = _state(path, directory)
    except FileNotFoundError:
        now = None
    if now is not None and now.link and expected is not None and not expected.link:
        raise symlink_error(path)
    check_expected(path, expected, now)


def _state(path: Path, directory: int) -> FileState:
    status = status_of(path, directory)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(os.fsencode(path.name), dir_fd=directory)
        return FileState(target, None, (status.st_uid, status.st_gid), link=True)
    _check_readable(path, status)
    with os.fdopen(open_file(path.name, directory, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())  # it may have been replaced
        _check_readable(path, status)
        data = file.read(status.st_size + 1)
        if len(data) > status.st_size:  # the file is growing
            data += file.read(LARGEST_FILE)
        attributes = attributes_of(file.fileno())
    if len(data) > LARGEST_FILE:
        raise _too_large(path)
    owner = (status.st_uid, status.st_gid)
    return FileState(data, status.st_mode & 0o777, owner, attributes=attributes)


def _check_readable(path: Path, status: os.stat_result) -> None:
    check_regular(path, status)
    if status.st_size > LARGEST_FILE:
        raise _too_large(path)


def _too_large(path: Path) -> OSError:
    return OSError(EFBIG, f"Larger than {LARGEST_FILE // 2**20} MiB", str(path))
