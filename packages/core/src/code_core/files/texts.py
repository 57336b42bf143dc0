"""Files that are also open elsewhere, such as in an editor, whose unsaved text takes precedence over the disk.

If the editor refuses or does not know a file, it is read and written on disk, with the same comparison: a file
that differs from what the patch was planned on is left alone. Unsaved changes are therefore never overwritten.
"""

import errno
import os
from pathlib import Path
from typing import Protocol

import anyio

from code_core.files.local import LocalFileSystem
from code_core.patch.filesystem import FileState, check_expected

FILE_SECONDS = 30.0
"""Time limit for an editor to handle one file."""
LARGEST_TEXT = 64 * 2**20
"""Size limit in characters; a longer file is read from disk."""


class Texts(Protocol):
    """The texts of an editor, by absolute path.

    Attributes:
        name: the editor's name, for errors.
    """

    name: str

    async def read_text(self, path: Path) -> str | None:
        """Return the text, saved or not, or None if the editor refuses or does not know the file.

        Raises:
            TimeoutError: the editor did not answer.
        """
        ...

    async def write_text(self, path: Path, text: str) -> bool:
        """Write the text through the editor; False if it refuses and has written nothing.

        Raises:
            TimeoutError: the editor did not answer.
        """
        ...


class TextFileSystem:
    """See `code_core.patch.FileSystem`; deletions, links, modes and files that are not UTF-8 are handled on disk.

    Args:
        texts: the editor's texts.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._disk = LocalFileSystem()

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`."""
        return await self._disk.resolve(path)

    async def read(self, path: Path) -> FileState | None:
        """See `FileSystem.read`."""
        return await self._over(path, await self._disk.read(path))

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """See `FileSystem.replace`.

        Raises:
            TimeoutError: the editor did not answer, so the file may or may not be written.
        """
        on_disk = await self._disk.read(path)
        check_expected(path, expected, await self._over(path, on_disk))
        text = _text(new)
        if text is None or _is_more_than_text(on_disk, new) or not await self._write(path, text):
            await self._disk.replace(path, new, expected)

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`. Editors are not asked to delete."""
        check_expected(path, expected, await self.read(path))
        await self._disk.delete(path, expected)

    async def _over(self, path: Path, on_disk: FileState | None) -> FileState | None:
        """The state on disk with the editor's text."""
        if on_disk is not None and _text(on_disk) is None:
            return on_disk
        try:
            with anyio.fail_after(FILE_SECONDS):
                text = await self._texts.read_text(path)
        except TimeoutError:
            return on_disk
        if text is None or len(text) > LARGEST_TEXT:
            return on_disk
        data = text.encode("utf-8", "replace")
        return FileState(data) if on_disk is None else FileState(data, on_disk.mode, on_disk.owner)

    async def _write(self, path: Path, text: str) -> bool:
        try:
            with anyio.fail_after(FILE_SECONDS):
                return await self._texts.write_text(path, text)
        except TimeoutError:
            why = f"{self._texts.name} did not answer in time; check the file before you continue"
            raise TimeoutError(errno.ETIMEDOUT, why, os.fspath(path)) from None


def _text(state: FileState) -> str | None:
    """The text of a file, or None for a link or a binary file."""
    if state.link or b"\0" in state.data:
        return None
    try:
        return state.data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_more_than_text(old: FileState | None, new: FileState) -> bool:
    """Whether more than the text changes, which an editor cannot write."""
    if old is None:
        return new.mode is not None
    return old.link or new.mode not in {None, old.mode}
