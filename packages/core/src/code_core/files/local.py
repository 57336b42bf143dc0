"""Files on this machine, read and replaced whole."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

LARGEST_FILE = 256 * 2**20
NEW_FILE_MODE = 0o666


class LocalFileSystem:
    """See `code_core.patch.FileSystem`.

    Bytes that are not UTF-8 survive a round trip. A symlink is followed: its target
    is replaced and the link stays. A file keeps its mode.
    """

    async def read_text(self, path: Path) -> str:
        """The file's text, newlines untranslated.

        Raises:
            OSError: there is no such regular file, it may not be read, or it is larger than 256 MiB.
        """
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(21, "Is a directory", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(22, "Not a regular file", str(path))
        if status.st_size > LARGEST_FILE:
            raise OSError(27, f"File larger than {LARGEST_FILE // 2**20} MiB", str(path))
        return path.read_bytes().decode("utf-8", "surrogateescape")

    async def write_text(self, path: Path, text: str) -> None:
        """Replace the file in one step, so that it is never seen half-written.

        Raises:
            OSError: it is a directory, or it may not be written.
        """
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory", str(path))
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of(target)
        descriptor, temporary = mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode("utf-8", "surrogateescape"))
                os.fchmod(file.fileno(), mode)
            Path(temporary).replace(target)
        except BaseException:
            with suppress(FileNotFoundError):
                Path(temporary).unlink()
            raise

    async def delete(self, path: Path) -> None:
        """Delete the file, or the link that `path` is.

        Raises:
            OSError: there is no such file, it is a directory, or it may not be deleted.
        """
        if path.is_dir() and not path.is_symlink():
            raise IsADirectoryError(21, "Is a directory", str(path))
        path.unlink()


def _mode_of(path: Path) -> int:
    """The permissions for the file: its own, or what the umask leaves of a new one's."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0o077)
        os.umask(umask)
        return NEW_FILE_MODE & ~umask
