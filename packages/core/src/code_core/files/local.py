"""Files on this machine, read and replaced whole."""

import os
import stat
from contextlib import suppress
from errno import EACCES, EFBIG, EINVAL, EISDIR, ENOTDIR
from pathlib import Path
from secrets import token_hex

LARGEST_FILE = 64 * 2**20
KERNEL = (Path("/proc"), Path("/sys"))  # not files, and /proc has the environment of this process
NEW_FILE_MODE = 0o666


class LocalFileSystem:
    """See `code_core.patch.FileSystem`.

    Bytes that are not UTF-8 survive a round trip. A symlink is followed: its target
    is replaced and the link stays. A file keeps its mode, and is not replaced if it
    may not be written.
    """

    async def read_text(self, path: Path) -> str:
        """The file's text, newlines untranslated.

        Raises:
            OSError: there is no such regular file, it may not be read, or it is larger than 64 MiB.
        """
        status = path.stat()
        if any(Path(os.path.realpath(path)).is_relative_to(place) for place in KERNEL):
            raise OSError(EINVAL, "Not a file on a disk", str(path))
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(EISDIR, "Is a directory", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(EINVAL, "Not a regular file", str(path))
        if status.st_size > LARGEST_FILE:
            raise OSError(EFBIG, f"Larger than {LARGEST_FILE // 2**20} MiB", str(path))
        return path.read_bytes().decode("utf-8", "surrogateescape")

    async def write_text(self, path: Path, text: str) -> None:
        """Replace the file in one step, so that it is never seen half-written.

        Raises:
            OSError: it is a directory, or it may not be written.
        """
        target = Path(os.path.realpath(path))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(ENOTDIR, "Not a directory", str(path)) from error
        replace_file(target, text.encode("utf-8", "surrogateescape"), _mode_of(target))

    async def delete(self, path: Path) -> None:
        """Delete the file, or the link that `path` is.

        Raises:
            OSError: there is no such file, it is a directory, or it may not be deleted.
        """
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(EISDIR, "Is a directory", str(path))
        path.unlink()

    async def exists(self, path: Path) -> bool:
        """Whether there is a file or a directory, at the end of all links.

        Raises:
            OSError: there can be none, because something above it is a file, or it may not be seen.
        """
        try:
            path.stat()
        except FileNotFoundError:
            return False
        return True


def _mode_of(path: Path) -> int | None:
    """The permissions of the file that is replaced; None for a new one.

    Raises:
        OSError: it is no regular file, or it may not be written.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(EISDIR, "Is a directory", str(path))
    if not stat.S_ISREG(mode):
        raise OSError(EINVAL, "Not a regular file", str(path))
    if not os.access(path, os.W_OK):
        raise PermissionError(EACCES, "Permission denied", str(path))
    return stat.S_IMODE(mode)


def replace_file(target: Path, data: bytes, mode: int | None) -> None:
    """Write a file beside `target` and give it that name; without a `mode` it is a new one's.

    Raises:
        OSError: it cannot be written; `target` is as it was.
    """
    temporary = target.parent / f".code-{token_hex(8)}.tmp"

    def create(name: str, flags: int) -> int:
        return os.open(name, flags, NEW_FILE_MODE if mode is None else mode)

    file = open(temporary, "xb", opener=create)  # noqa: SIM115 - closed below, where its removal is cared for
    try:
        with file:
            file.write(data)
        if mode is not None:
            temporary.chmod(mode)  # what the umask took
        temporary.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
