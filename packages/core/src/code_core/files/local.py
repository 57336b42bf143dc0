"""Files on this machine, read and replaced whole."""

import os
import stat
from contextlib import suppress
from errno import EACCES, EFBIG, EINVAL, EISDIR
from pathlib import Path
from secrets import token_hex

from code_core.files.directory import open_directory, symlink_error

LARGEST_FILE = 64 * 2**20
KERNEL = (Path("/proc"), Path("/sys"))  # not files, and /proc has the environment of this process
NEW_FILE_MODE = 0o666


class LocalFileSystem:
    """See `code_core.patch.FileSystem`.

    Bytes that are not UTF-8 survive a round trip. A file keeps its mode, and is not
    replaced if it may not be written. Its other names (hard links) keep the old text.
    """

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`."""
        return Path(os.path.realpath(path))

    async def read_text(self, path: Path) -> str:
        """The file's text, newlines untranslated.

        Raises:
            OSError: there is no such regular file, it may not be read, or it is larger than 64 MiB.
        """
        if any(path.is_relative_to(place) for place in KERNEL):
            raise OSError(EINVAL, "Not a file on a disk", str(path))
        with open_directory(path.parent) as directory:
            _check_readable(path, _status(path, directory))
            with os.fdopen(_open(path.name, directory, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                _check_readable(path, os.fstat(file.fileno()))  # it may have been replaced
                return file.read(LARGEST_FILE).decode("utf-8", "surrogateescape")

    async def write_text(self, path: Path, text: str) -> None:
        """Replace the file in one step, so that it is never seen half-written.

        Raises:
            OSError: it is a directory, or it may not be written.
        """
        replace_file(path, text.encode("utf-8", "surrogateescape"))

    async def delete(self, path: Path) -> None:
        """Delete the file, or the link that `path` itself is.

        Raises:
            OSError: there is no such file, it is a directory, or it may not be deleted.
        """
        with open_directory(path.parent) as directory:
            if stat.S_ISDIR(os.stat(path.name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise IsADirectoryError(EISDIR, "Is a directory", str(path))
            os.unlink(path.name, dir_fd=directory)

    async def exists(self, path: Path) -> bool:
        """Whether there is a file or a directory.

        Raises:
            OSError: there can be none, because something above it is a file, or it may not be seen.
        """
        try:
            path.stat()
        except FileNotFoundError:
            return False
        return True


def replace_file(path: Path, data: bytes, new_mode: int | None = None) -> None:
    """Write a file beside `path` and give it that name; missing directories are made.

    Args:
        path: without symlinks in it.
        data: what the file will hold.
        new_mode: the permissions of a file that is new, instead of what the umask leaves.

    Raises:
        OSError: it cannot be written, and is as it was.
    """
    with open_directory(path.parent, create=True) as directory:
        before = _status_of_old(path, directory)
        temporary = f".code-{token_hex(8)}.tmp"
        private = 0o600 if before is not None else new_mode
        made = _open(temporary, directory, os.O_WRONLY | os.O_CREAT | os.O_EXCL, private)
        try:
            with os.fdopen(made, "wb") as file:
                file.write(data)
                _take_over(made, before, new_mode)
            os.replace(temporary, path.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise


def _take_over(made: int, before: os.stat_result | None, new_mode: int | None) -> None:
    """Give the new file the owner and the permissions of the old one; no program gets another's rights by that."""
    if before is not None:
        with suppress(PermissionError):  # only the superuser may give files away
            os.fchown(made, before.st_uid, before.st_gid)
        new_mode = before.st_mode & 0o777
    if new_mode is not None:
        os.fchmod(made, new_mode)  # what the umask took


def _status_of_old(path: Path, directory: int) -> os.stat_result | None:
    """The state of the file that is replaced; None for a new one.

    Raises:
        OSError: it is no regular file, or it may not be written.
    """
    try:
        status = _status(path, directory)
    except FileNotFoundError:
        return None
    _check_regular(path, status)
    if not os.access(path.name, os.W_OK, dir_fd=directory):
        raise PermissionError(EACCES, "Permission denied", str(path))
    return status


def _status(path: Path, directory: int) -> os.stat_result:
    return os.stat(path.name or ".", dir_fd=directory, follow_symlinks=False)


def _check_readable(path: Path, status: os.stat_result) -> None:
    _check_regular(path, status)
    if status.st_size > LARGEST_FILE:
        raise OSError(EFBIG, f"Larger than {LARGEST_FILE // 2**20} MiB", str(path))


def _check_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise symlink_error(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(EINVAL, "Not a regular file", str(path))


def _open(name: str, directory: int, flags: int, mode: int | None = None) -> int:
    return os.open(
        name,
        flags | os.O_NOFOLLOW | os.O_CLOEXEC,
        NEW_FILE_MODE if mode is None else mode,
        dir_fd=directory,
    )
