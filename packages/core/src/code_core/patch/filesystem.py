"""The files that a patch reads and writes, as a protocol, and its in-memory twin."""

from errno import EISDIR, ENOENT, ENOTDIR
from pathlib import Path
from typing import Protocol


class FileSystem(Protocol):
    """Text files by absolute path. Newlines are never translated.

    Only `resolve` follows symlinks: to the others, a path with one in it is an error,
    so that what was checked is what is written.
    """

    async def resolve(self, path: Path) -> Path:
        """`path` without the symlinks in it, whether or not there is such a file."""
        ...

    async def read_text(self, path: Path) -> str:
        """The file's text.

        Raises:
            OSError: there is no such file, or it is a directory, or it may not be read.
        """
        ...

    async def write_text(self, path: Path, text: str) -> None:
        """Create or replace the file, whole or not at all; missing directories are made.

        Raises:
            OSError: it is a directory, or it may not be written.
        """
        ...

    async def delete(self, path: Path) -> None:
        """Delete the file.

        Raises:
            OSError: there is no such file, or it is a directory, or it may not be deleted.
        """
        ...

    async def exists(self, path: Path) -> bool:
        """Whether there is a file or a directory.

        Raises:
            OSError: there can be none, because something above it is a file, or it may not be seen.
        """
        ...


class MemoryFileSystem:
    """Files in a dict, for tests and previews. A directory that was made stays, as on a disk."""

    def __init__(self, files: dict[Path, str] | None = None) -> None:
        self.files = dict(files or {})
        self._directories = {parent for path in self.files for parent in path.parents}

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`: there are no symlinks."""
        return path

    async def read_text(self, path: Path) -> str:
        """See `FileSystem.read_text`."""
        self._check(path)
        if path not in self.files:
            raise FileNotFoundError(ENOENT, "No such file or directory", str(path))
        return self.files[path]

    async def write_text(self, path: Path, text: str) -> None:
        """See `FileSystem.write_text`."""
        self._check(path)
        self.files[path] = text
        self._directories.update(path.parents)

    async def delete(self, path: Path) -> None:
        """See `FileSystem.delete`."""
        await self.read_text(path)
        del self.files[path]

    async def exists(self, path: Path) -> bool:
        """See `FileSystem.exists`."""
        self._check_above(path)
        return path in self.files or path in self._directories

    def _check(self, path: Path) -> None:
        self._check_above(path)
        if path in self._directories:
            raise IsADirectoryError(EISDIR, "Is a directory", str(path))

    def _check_above(self, path: Path) -> None:
        if any(parent in self.files for parent in path.parents):
            raise NotADirectoryError(ENOTDIR, "Not a directory", str(path))
