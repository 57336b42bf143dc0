"""Starts an MCP server and lists its tools."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import anyio

from code_core.config.paths import find_home
from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers.launch import Workplace, prepare
from code_core.mcp_servers.listing import all_tools
from code_core.protocol.policies import ReadOnly
from code_mcp_client import ServerStartError


@dataclass(frozen=True, slots=True)
class Probed:
    """A server's information and tools.

    Attributes:
        about: its name, version and protocol.
        tools: a name and a short text for each tool.
        warnings: problems with its start or its tools.
        ready: seconds until it was initialised.
        listed: seconds until its tools were listed.
    """

    about: str
    tools: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    ready: float
    listed: float


async def probe(name: str, table: McpServerTable, cwd: Path) -> Probed:
    """Start the server `name` in `cwd`, and stop it again.

    Raises:
        McpClientError: it does not start in time, or does not answer.
    """
    begun = time.perf_counter()
    try:
        with anyio.fail_after(table.startup_timeout):
            workplace = Workplace(cwd, find_home(os.environ).path, ReadOnly(), os.environ)
            prepared = await anyio.to_thread.run_sync(prepare, name, table, workplace)
            async with prepared.client as client:
                initialized = await client.initialize()
                ready = time.perf_counter()
                listing = await all_tools(client)
                listed = time.perf_counter()
    except TimeoutError:
        limit = f"{table.startup_timeout:g} s (startup_timeout_sec)"
        raise ServerStartError(f"it was not ready within {limit}") from None
    server = initialized.server_info
    return Probed(
        f"{server.name} {server.version}, protocol {initialized.protocol_version}",
        tuple((tool.name, tool.description or tool.title or "") for tool in listing.tools),
        (*prepared.warnings, *listing.problems),
        ready - begun,
        listed - begun,
    )
