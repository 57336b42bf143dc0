"""The files that a patch reads and writes, as a protocol, and its in-memory twin."""

from dataclasses import dataclass
from errno import EISDIR, ENOTDIR, ESTALE
from pathlib import Path
from typing import Protocol

ALL_MAY_EXECUTE = 0o111
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as it is at one moment, or as it is to be.

    Attributes:
        data: its bytes; for a symbolic link, the path that it holds.
        mode: the permission bits (at most 0o777). None where a file system has none, and for a
            new file that gets the usual ones.
        owner: user and group; None where nobody knows or cares.
        link: it is a symbolic link.
    """

    data: bytes
    mode: int | None = None
    owner: tuple[int, int] | None = None
    link: bool = False

    @property
    def git_mode(self) -> str:
        """The mode as git records it."""
        if self.link:
            return "120000"
        return "100755" if (self.mode or 0) & ALL_MAY_EXECUTE else "100644"

    def is_same(self, other: "FileState | None") -> bool:
        """Whether `other` is equal, as far as both are known."""
        return (
            other is not None
            and self.link == other.link
            and _is_equal(self.data, other.data)
            and (self.mode == other.mode or None in {self.mode, other.mode})
            and (self.owner == other.owner or None in {self.owner, other.owner})
        )


def _is_equal(left: bytes, right: bytes) -> bool:
    """Compares a piece at a time: one comparison of large files would hold up all threads."""
    return len(left) == len(right) and all(
        left[start : start + _PIECE] == right[start : start + _PIECE] for start in range(0, len(left), _PIECE)
    )


class FileChangedError(OSError):
    """A file is not what the caller expected, and was left alone."""

    def __init__(self, path: Path, expected: FileState | None, now: FileState | None) -> None:
        match expected, now:
            case None, _:
                happened = "created"
            case _, None:
                happened = "deleted"
            case _:
                happened = "changed"
        super().__init__(ESTALE, f"The file was {happened} after the patch was planned", str(path))


def check_expected(path: Path, expected: FileState | None, now: FileState | None) -> None:
    """Compare what is at `path` with what the caller expects.

    Raises:
        FileChangedError: they differ.
    """
    if not (now is None if expected is None else expected.is_same(now)):
        raise FileChangedError(path, expected, now)


class FileSystem(Protocol):
    """Files by absolute path, read and replaced whole.

    Only `resolve` follows symbolic links. The other methods refuse a path that has one above
    the file, so that what was checked is what is written. `replace` and `delete` compare and
    swap: they do nothing when the file is not in the expected state.

    A file system that knows only text (an editor's) encodes it as UTF-8, reports no mode, and
    raises `OSError` for bytes that are not UTF-8, and for links.
    """

    async def resolve(self, path: Path) -> Path:
        """`path` without symbolic links, whether or not the file exists."""
        ...

    async def read(self, path: Path) -> FileState | None:
        """The file, or the link that `path` itself is; None if nothing has that name.

        Raises:
            OSError: it is a directory or a device, something above it is a file, or it may not be read.
        """
        ...

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """Create or replace the file, whole or not at all; missing directories are made.

        Where `new` has no mode, a replaced file keeps its own.

        Raises:
            FileChangedError: the file is not as `expected`; None stands for no file.
            OSError: it is a directory, or it may not be written.
        """
        ...

    async def delete(self, path: Path, expected: FileState) -> None:
        """Delete the file, or the link that `path` itself is.

        Raises:
            FileChangedError: the file is not as `expected`.
            OSError: it is a directory, or it may not be deleted.
        """
        ...


class MemoryFileSystem:
    """Files in a dict, for tests and previews. A directory that was made stays, as on a disk."""

    def __init__(self, files: dict[Path, FileState] | None = None) -> None:
        self.files = dict(files or {})
        self._directories = {parent for path in self.files for parent in path.parents}

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`: there are no links above a file."""
        return path

    async def read(self, path: Path) -> FileState | None:
        """See `FileSystem.read`."""
        if any(parent in self.files for parent in path.parents):
            raise NotADirectoryError(ENOTDIR, "Not a directory", str(path))
        if path in self._directories:
            raise IsADirectoryError(EISDIR, "Is a directory", str(path))
        return self.files.get(path)

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """See `FileSystem.replace`."""
        now = await self.read(path)
        check_expected(path, expected, now)
        if now is not None and new.mode is None:
            new = FileState(new.data, now.mode, now.owner, new.link)
        self.files[path] = new
        self._directories.update(path.parents)

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`."""
        check_expected(path, expected, await self.read(path))
        del self.files[path]
