"""Reads and writes texts through an MCP server's tools, such as those of an editor."""

import logging
import os
from pathlib import Path
from typing import Any

from code_core.config.schema.servers import ClientToolTable
from code_core.session.questions.permission_tool import structured_answer
from code_core.session.servers.servers import ConversationServers

_log = logging.getLogger("code_core")


class ToolTexts:
    """See `code_core.files.texts.Texts`.

    Args:
        conversation_id: the `sessionId` of the calls.
        servers: the conversation's servers.
        read_tool: takes `{sessionId, path}` and returns `{content}`; None reads the disk.
        write_tool: takes `{sessionId, path, content}`; None writes to the disk.
    """

    def __init__(
        self,
        conversation_id: str,
        servers: ConversationServers,
        read_tool: ClientToolTable | None,
        write_tool: ClientToolTable | None,
    ) -> None:
        self.name = "the editor" if write_tool is None else write_tool.tool_name
        self._conversation_id = conversation_id
        self._servers = servers
        self._read_tool = read_tool
        self._write_tool = write_tool

    async def read_text(self, path: Path) -> str | None:
        """See `Texts.read_text`."""
        match await self._call(self._read_tool, path):
            case {"content": str(text)}:
                return text
            case _:
                return None

    async def write_text(self, path: Path, text: str) -> bool:
        """See `Texts.write_text`."""
        return await self._call(self._write_tool, path, content=text) is not None

    async def _call(self, wanted: ClientToolTable | None, path: Path, **more: Any) -> object:
        """Call a tool and return its answer, or None if it is missing or refuses.

        Raises:
            TimeoutError: the tool did not answer in time.
        """
        from code_mcp_client import McpClientError

        tool = None if wanted is None else await self._servers.client_tool(wanted)
        if tool is None:
            return None
        arguments = {"sessionId": self._conversation_id, "path": os.fspath(path), **more}
        try:
            result = await tool.host.call_tool(tool.definition.name, arguments)
        except TimeoutError:
            raise
        except (McpClientError, OSError) as error:
            _log.warning("tool %s failed for %s: %s", tool.definition.name, path, error)
            return None
        return None if result.is_error else structured_answer(result) or {}
