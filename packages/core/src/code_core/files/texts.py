"""Files whose text somebody else has too, such as an editor: unsaved text there wins over the disk.

What the editor refuses, or cannot know, is read and written on the disk, where the same comparison holds: a file
that is not as the patch was planned from is left alone. So unsaved changes are never overwritten.
"""

import errno
import os
from pathlib import Path
from typing import Protocol

import anyio

from code_core.files.local import LocalFileSystem
from code_core.patch.filesystem import FileState, check_expected

FILE_SECONDS = 30.0
"""How long an editor may take for one file."""
LARGEST_TEXT = 64 * 2**20
"""Characters of one file's text; a longer one is read from the disk."""


class Texts(Protocol):
    """The texts of an editor, by absolute path.

    Attributes:
        name: who that is, for an error.
    """

    name: str

    async def read_text(self, path: Path) -> str | None:
        """The text, saved or not; None where the editor refuses, or does not have it.

        Raises:
            TimeoutError: the editor does not answer.
        """
        ...

    async def write_text(self, path: Path, text: str) -> bool:
        """Have the editor write the text; False where it refuses, and has written nothing.

        Raises:
            TimeoutError: the editor does not answer.
        """
        ...


class TextFileSystem:
    """See `code_core.patch.FileSystem`; deletions, links, modes and files that are not UTF-8 are done on the disk.

    Args:
        texts: the editor's.
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
            TimeoutError: the editor does not answer, so nobody knows whether it has written.
        """
        on_disk = await self._disk.read(path)
        check_expected(path, expected, await self._over(path, on_disk))
        text = _text(new)
        if text is None or _is_more_than_text(on_disk, new) or not await self._write(path, text):
            await self._disk.replace(path, new, expected)

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`. No editor is asked to delete."""
        check_expected(path, expected, await self.read(path))
        await self._disk.delete(path, expected)

    async def _over(self, path: Path, on_disk: FileState | None) -> FileState | None:
        """What is on the disk, with the text that the editor has."""
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
    """The text of a file; None for a link or a binary file."""
    if state.link or b"\0" in state.data:
        return None
    try:
        return state.data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _is_more_than_text(old: FileState | None, new: FileState) -> bool:
    """Whether more than the text is to change: an editor writes just that."""
    if old is None:
        return new.mode is not None
    return old.link or new.mode not in {None, old.mode}
