"""Files through the client: unsaved text in the editor wins over the disk, and the editor can review each change.

What the client refuses, or cannot know, is read and written on the disk, where the same comparison holds:
a file that is not as the patch was planned from is left alone. So unsaved changes are never overwritten.
"""

import errno
import logging
import os
from pathlib import Path

import anyio

from code_core.acp.capabilities import ClientCapabilities
from code_core.files.local import LocalFileSystem
from code_core.patch.filesystem import FileState, check_expected
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.jsonrpc import RpcError
from code_mcp_server.acp.outgoing import fits

_log = logging.getLogger("code_core")

FILE_SECONDS = 30.0
"""How long the client may take for one file."""
LARGEST_TEXT = 64 * 2**20


class ClientFileSystem:
    """See `code_core.patch.FileSystem`.

    Args:
        connection: to the client.
        session_id: on whose behalf files are read and written.
        client: what the client has declared.
    """

    def __init__(self, connection: Connection, session_id: str, client: ClientCapabilities) -> None:
        self._connection = connection
        self._session_id = session_id
        self._client = client
        self._disk = LocalFileSystem()

    async def resolve(self, path: Path) -> Path:
        """See `FileSystem.resolve`."""
        return await self._disk.resolve(path)

    async def read(self, path: Path) -> FileState | None:
        """See `FileSystem.read`."""
        return await self._over(path, await self._disk.read(path))

    async def replace(self, path: Path, new: FileState, expected: FileState | None) -> None:
        """See `FileSystem.replace`."""
        on_disk = await self._disk.read(path)
        now = await self._over(path, on_disk)
        check_expected(path, expected, now)
        text = _text(new)
        if not self._client.write_files or text is None or _special(on_disk, new) or not fits(text):
            await self._disk.replace(path, new, expected)
            return
        try:
            await self._write(path, text)
        except RpcError as error:
            _log.info("the client does not write %s: %s", path, error)
            await self._disk.replace(path, new, expected)

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`. The protocol has no word for it."""
        check_expected(path, expected, await self.read(path))
        await self._disk.delete(path, expected)

    async def _over(self, path: Path, on_disk: FileState | None) -> FileState | None:
        """What is on the disk, with the text that the editor has."""
        if not self._client.read_files or (on_disk is not None and _text(on_disk) is None):
            return on_disk
        params = {"sessionId": self._session_id, "path": os.fspath(path)}
        answer: object = None
        try:
            with anyio.move_on_after(FILE_SECONDS):
                answer = await self._connection.request("fs/read_text_file", params)
        except RpcError as error:
            _log.info("the client does not read %s: %s", path, error)
        match answer:
            case {"content": str(text)} if len(text) <= LARGEST_TEXT:
                data = text.encode("utf-8", "replace")
                return FileState(data) if on_disk is None else FileState(data, on_disk.mode, on_disk.owner)
            case _:
                return on_disk

    async def _write(self, path: Path, text: str) -> None:
        """Raises: RpcError: the client refuses. TimeoutError: nobody knows whether it has written."""
        params = {"sessionId": self._session_id, "path": os.fspath(path), "content": text}
        with anyio.move_on_after(FILE_SECONDS) as limit:
            await self._connection.request("fs/write_text_file", params)
        if limit.cancelled_caught:
            why = f"the editor did not answer within {FILE_SECONDS:g} s; check the file before you continue"
            raise TimeoutError(errno.ETIMEDOUT, why, os.fspath(path))


def _text(state: FileState) -> str | None:
    """The text of a file; None for a link or a binary file."""
    if state.link or b"\0" in state.data:
        return None
    try:
        return state.data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _special(old: FileState | None, new: FileState) -> bool:
    """Whether more than the text is to change: an editor writes just that."""
    if old is None:
        return new.mode is not None
    return old.link or new.mode not in {None, old.mode}
