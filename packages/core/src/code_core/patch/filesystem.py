"""The files that a patch reads and writes, as a protocol, and its in-memory twin."""

from pathlib import Path
from typing import Protocol


class FileSystem(Protocol):
    """Text files by absolute path. Newlines are never translated."""

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


class MemoryFileSystem:
    """Files in a dict; directories are wherever a file is below them."""

    def __init__(self, files: dict[Path, str] | None = None) -> None:
        self.files = dict(files or {})

    async def read_text(self, path: Path) -> str:
        """See `FileSystem.read_text`."""
        self._check_not_directory(path)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return self.files[path]

    async def write_text(self, path: Path, text: str) -> None:
        """See `FileSystem.write_text`."""
        self._check_not_directory(path)
        if any(parent in self.files for parent in path.parents):
            raise NotADirectoryError(20, "Not a directory", str(path))
        self.files[path] = text

    async def delete(self, path: Path) -> None:
        """See `FileSystem.delete`."""
        await self.read_text(path)
        del self.files[path]

    def _check_not_directory(self, path: Path) -> None:
        if any(path in file.parents for file in self.files):
            raise IsADirectoryError(21, "Is a directory", str(path))
