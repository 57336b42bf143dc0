"""Reads and writes files through the client, as far as it declares support. Source: ACP 1, "File system"."""

import logging
import os
from pathlib import Path

from code_core.acp.capabilities import ClientCapabilities
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.outgoing import fits
from code_mcp_server.jsonrpc import RpcError

_log = logging.getLogger("code_core")


class ClientTexts:
    """See `code_core.files.texts.Texts`.

    Args:
        connection: the connection to the client.
        session_id: the session that reads and writes.
        client: the client's capabilities.
    """

    name = "the editor"

    def __init__(self, connection: Connection, session_id: str, client: ClientCapabilities) -> None:
        self._connection = connection
        self._session_id = session_id
        self._client = client

    async def read_text(self, path: Path) -> str | None:
        """See `Texts.read_text`."""
        if not self._client.read_files:
            return None
        try:
            answer = await self._connection.request("fs/read_text_file", self._params(path))
        except RpcError as error:
            _log.info("the client refused to read %s: %s", path, error)
            return None
        match answer:
            case {"content": str(text)}:
                return text
            case _:
                return None

    async def write_text(self, path: Path, text: str) -> bool:
        """See `Texts.write_text`."""
        if not self._client.write_files or not fits(text):
            return False
        try:
            await self._connection.request("fs/write_text_file", {**self._params(path), "content": text})
        except RpcError as error:
            _log.info("the client refused to write %s: %s", path, error)
            return False
        return True

    def _params(self, path: Path) -> dict[str, str]:
        return {"sessionId": self._session_id, "path": os.fspath(path)}
