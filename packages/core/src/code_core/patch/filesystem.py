"""The file system interface for patches, and its in-memory twin."""

from dataclasses import field
from errno import EISDIR, ENOTDIR, ESTALE
from pathlib import Path
from typing import Protocol

from code_core.frozen import frozen

ALL_MAY_EXECUTE = 0o111
_PIECE = 2**20


@frozen
class FileState:
    """The current or future state of a file.

    Attributes:
        data: the content; for a symbolic link, its target.
        mode: the permission bits (at most 0o777). None if the file system has none, and for a new
            file with default permissions.
        owner: user and group; None if unknown or irrelevant.
        link: whether it is a symbolic link.
        attributes: extended attributes to keep, including an access control list; not compared.
    """

    data: bytes
    mode: int | None = None
    owner: tuple[int, int] | None = None
    link: bool = False
    attributes: tuple[tuple[str, bytes], ...] = field(default=(), compare=False)

    @property
    def git_mode(self) -> str:
        """The mode as recorded by git."""
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
    """Compare in pieces, because one comparison of large files would block all threads."""
    return len(left) == len(right) and all(
        left[start : start + _PIECE] == right[start : start + _PIECE] for start in range(0, len(left), _PIECE)
    )


class FileChangedError(OSError):
    """A file differs from what the caller expected, and was left alone."""

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
    """Compare the file at `path` with the expected one.

    Raises:
        FileChangedError: they differ.
    """
    if not (now is None if expected is None else expected.is_same(now)):
        raise FileChangedError(path, expected, now)


class FileSystem(Protocol):
    """Files by absolute path, read and replaced as a whole.

    Only `resolve` follows symbolic links. The other methods reject a path with a link above the
    file, so that the file written is the one that was checked. `replace` and `delete` compare and
    swap: they do nothing if the file is not in the expected state.

    A file system with text only (an editor's) encodes it as UTF-8, reports no mode, and raises
    `OSError` for bytes that are not UTF-8 and for links.
    """

    async def resolve(self, path: Path) -> Path:
        """Return `path` without symbolic links, whether or not the file exists."""
        ...

    async def read(self, path: Path) -> FileState | None:
        """Return the file, or the link if `path` itself is one, or None if it does not exist.

        Raises:
            OSError: it is a directory or a device, a parent is a file, or it is not readable.
        """
        ...

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """Create or replace the file atomically; missing directories are created.

        If `new` has no mode, a replaced file keeps its own.

        Raises:
            FileChangedError: the file is not as `expected`; None means that it must not exist.
            OSError: it is a directory or not writable.
        """
        ...

    async def delete(self, path: Path, expected: FileState) -> None:
        """Delete the file, or the link if `path` itself is one.

        Raises:
            FileChangedError: the file is not as `expected`.
            OSError: it is a directory or cannot be deleted.
        """
        ...


class MemoryFileSystem:
    """Files in a dict, for tests and previews. As on disk, created directories remain."""

    def __init__(self, files: dict[Path, FileState] | None = None) -> None:
        self.files = dict(files or {})
        self._directories = {parent for path in self.files for parent in path.parents}

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`; no links exist above files."""
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
