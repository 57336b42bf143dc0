"""Clients of the scripted servers."""

import sys
from pathlib import Path
from typing import Any

import mcp_types

from code_mcp_client import ClientCallbacks, McpClient, McpClientConfig

TESTS = str(Path(__file__).parent.parent)
ENVIRONMENT = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"}


def argv(script: str, *args: str) -> list[str]:
    """Python's arguments for a fast start of `servers/SCRIPT.py`."""
    return ["-S", "-m", f"mcp_client.servers.{script}", *args]


def scripted(
    script: str,
    *args: str,
    config: McpClientConfig | None = None,
    buffer_capacity: int | str | None = None,
    callbacks: ClientCallbacks | None = None,
) -> McpClient:
    """A client of `servers/SCRIPT.py`, not opened yet."""
    return McpClient.stdio(
        sys.executable,
        argv(script, *args),
        ENVIRONMENT,
        config=config,
        buffer_capacity=buffer_capacity,
        callbacks=callbacks,
    )


async def call(client: McpClient, tool: str, **arguments: Any) -> str:
    """The text of a tool's answer."""
    return text_of(await client.call_tool(tool, arguments))


def text_of(result: mcp_types.CallToolResult) -> str:
    [content] = result.content
    assert isinstance(content, mcp_types.TextContent)
    return content.text
