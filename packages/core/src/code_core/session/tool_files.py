"""Files through tools of an MCP server, such as an editor's: unsaved text there wins over the disk.

What the tools refuse, or cannot know, is read and written on the disk, where the same comparison holds: a file
that is not as the patch was planned from is left alone.
"""

import errno
import logging
import os
from pathlib import Path
from typing import Any

import anyio

from code_core.config.schema.servers import ClientToolTable
from code_core.files.local import LocalFileSystem
from code_core.patch.filesystem import FileState, check_expected
from code_core.session.permission_tool import structured_answer
from code_core.session.servers import ConversationServers

_log = logging.getLogger("code_core")

FILE_SECONDS = 30.0
"""How long a tool may take for one file."""
LARGEST_TEXT = 64 * 2**20


class ToolFileSystem:
    """See `code_core.patch.FileSystem`.

    Args:
        conversation_id: the `sessionId` of the calls.
        servers: those that have the tools.
        read_tool: takes `{sessionId, path}` and gives `{content}`; None to read the disk.
        write_tool: takes `{sessionId, path, content}`; None to write the disk.
    """

    def __init__(
        self,
        conversation_id: str,
        servers: ConversationServers,
        read_tool: ClientToolTable | None,
        write_tool: ClientToolTable | None,
    ) -> None:
        self._conversation_id = conversation_id
        self._servers = servers
        self._read_tool = read_tool
        self._write_tool = write_tool
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
        check_expected(path, expected, await self._over(path, on_disk))
        text = _text(new)
        only_text = text is not None and new.mode in {None, None if on_disk is None else on_disk.mode}
        if self._write_tool is None or not only_text or (on_disk is not None and on_disk.link):
            await self._disk.replace(path, new, expected)
            return
        answer = await self._call(self._write_tool, path, content=text)
        match answer:
            case TimeoutError():  # nobody knows whether it has written
                why = (
                    f"{self._write_tool.tool_name} did not answer within {FILE_SECONDS:g} s; look at the file"
                )
                raise TimeoutError(errno.ETIMEDOUT, why, os.fspath(path))
            case None:
                await self._disk.replace(path, new, expected)
            case _:
                pass

    async def delete(self, path: Path, expected: FileState) -> None:
        """See `FileSystem.delete`. There is no tool for it."""
        check_expected(path, expected, await self.read(path))
        await self._disk.delete(path, expected)

    async def _over(self, path: Path, on_disk: FileState | None) -> FileState | None:
        """What is on the disk, with the text that the tool has."""
        if self._read_tool is None or (on_disk is not None and _text(on_disk) is None):
            return on_disk
        match await self._call(self._read_tool, path):
            case {"content": str(text)} if len(text) <= LARGEST_TEXT:
                data = text.encode("utf-8", "replace")
                return FileState(data) if on_disk is None else FileState(data, on_disk.mode, on_disk.owner)
            case _:
                return on_disk

    async def _call(self, wanted: ClientToolTable, path: Path, **more: Any) -> object:
        """The answer of a tool; None if the tool is missing or refuses, a `TimeoutError` if it does not answer."""
        from code_mcp_client import McpClientError

        tool = await self._servers.client_tool(wanted)
        if tool is None:
            return None
        arguments = {"sessionId": self._conversation_id, "path": os.fspath(path), **more}
        try:
            with anyio.fail_after(FILE_SECONDS):
                result = await tool.host.call_tool(tool.definition.name, arguments)
        except TimeoutError as error:
            return error
        except (McpClientError, OSError) as error:
            _log.warning("the tool %s failed on %s: %s", wanted.tool_name, path, error)
            return None
        return None if result.is_error else structured_answer(result) or {}


def _text(state: FileState) -> str | None:
    """The text of a file; None for a link or a binary file."""
    if state.link or b"\0" in state.data:
        return None
    try:
        return state.data.decode("utf-8")
    except UnicodeDecodeError:
        return None
