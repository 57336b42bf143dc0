"""Starts one MCP server and asks it for its tools."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from code_core.config.schema import McpServerTable
from code_core.mcp_servers.connections import all_tools, client_of
from code_mcp_client import ServerStartError

if TYPE_CHECKING:
    import mcp_types


@dataclass(frozen=True, slots=True)
class Probed:
    """What a server is and has; `ready` and `listed` are the seconds that it took."""

    initialized: "mcp_types.InitializeResult"
    tools: "list[mcp_types.Tool]"
    ready: float
    listed: float

    def __str__(self) -> str:
        server = self.initialized.server_info
        return f"{server.name} {server.version}, protocol {self.initialized.protocol_version}"


async def probe(name: str, table: McpServerTable) -> Probed:
    """Start the server called `name`, and end it again.

    Raises:
        McpClientError: it does not start, in time, or does not answer.
    """
    begun = time.perf_counter()
    try:
        with anyio.fail_after(table.startup_timeout_sec):
            async with client_of(name, table, Path.cwd()) as client:
                initialized = await client.initialize()
                ready = time.perf_counter()
                tools = await all_tools(client)
                listed = time.perf_counter()
    except TimeoutError:
        limit = f"{table.startup_timeout_sec:g} s (startup_timeout_sec)"
        raise ServerStartError(f"it was not ready within {limit}") from None
    return Probed(initialized, tools, ready - begun, listed - ready)
