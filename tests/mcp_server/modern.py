"""A scripted client of MCP 2026-07-28, which keeps everything that it receives."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from support.command import Workspace

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
FORMS: dict[str, Any] = {"elicitation": {"form": {}}}


class RawClient:
    """Lines to and from a server."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.received: list[dict[str, Any]] = []
        self._last_id = 0

    def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def send(self, method: str, params: dict[str, Any] | None = None, **more: Any) -> int:
        self._last_id += 1
        message = {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params or {}}
        self.write(json.dumps(message | more))
        return self._last_id

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        message: dict[str, Any] = json.loads(line)
        self.received.append(message)
        return message

    def answer(self, request_id: int | None) -> dict[str, Any]:
        """The response to a request; messages before it go to `received`."""
        while (message := self.read()).get("id", "") != request_id or "method" in message:
            pass
        return message

    def request(
        self, method: str, params: dict[str, Any] | None = None, **capabilities: Any
    ) -> dict[str, Any]:
        """The answer to a modern request."""
        return self.answer(self.send(method, modern(params, **capabilities)))

    def call(self, tool: str, arguments: dict[str, Any], **capabilities: Any) -> dict[str, Any]:
        """The result of a tool call."""
        result: dict[str, Any] = self.request(
            "tools/call", {"name": tool, "arguments": arguments}, **capabilities
        )["result"]
        return result

    def events(self) -> list[str]:
        return [one["params"]["msg"]["type"] for one in self.received if one.get("method") == "codex/event"]


def modern(params: dict[str, Any] | None = None, **capabilities: Any) -> dict[str, Any]:
    """Parameters with the envelope of a request."""
    meta = {VERSION: "2026-07-28", CAPABILITIES: capabilities}
    return {**(params or {}), "_meta": {**meta, **(params or {}).get("_meta", {})}}


@contextmanager
def raw_client(workspace: Workspace, *options: str) -> Iterator[RawClient]:
    """A client of a new server, which must exit in time when its stdin ends."""
    with workspace.start("mcp-server", *options, stdin=subprocess.PIPE) as process:
        try:
            yield RawClient(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0
        finally:
            process.kill()
