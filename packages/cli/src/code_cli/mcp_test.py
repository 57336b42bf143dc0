"""`code mcp test`: one server, started and asked for its tools."""

import time
from pathlib import Path

import anyio
import click

from code_core.config.schema import McpServerTable
from code_core.headless.printable import printable
from code_core.mcp_servers.connections import all_tools, client_of
from code_mcp_client import McpClientError

FAILED = 1


async def try_server(name: str, table: McpServerTable) -> int:
    """Print what the server is and has; 0, or 1 where it does not work."""
    begun = time.perf_counter()
    try:
        with anyio.fail_after(table.startup_timeout_sec):
            async with client_of(name, table, Path.cwd()) as client:
                initialized = await client.initialize()
                ready = time.perf_counter()
                tools = await all_tools(client)
                listed = time.perf_counter()
    except TimeoutError:
        return _failed(name, f"it was not ready within {table.startup_timeout_sec:g} s (startup_timeout_sec)")
    except McpClientError as error:
        return _failed(name, str(error))
    server = initialized.server_info
    click.echo(printable(f"{name}: {server.name} {server.version}, protocol {initialized.protocol_version}"))
    click.echo(f"ready after {(ready - begun) * 1e3:.0f} ms, tools listed in {(listed - ready) * 1e3:.0f} ms")
    click.echo(f"{len(tools)} tools" + (":" if tools else ""))
    for tool in tools:
        first = (tool.description or tool.title or "").strip().partition("\n")[0]
        click.echo(printable(f"  {tool.name}  {first}".rstrip()))
    return 0


def _failed(name: str, problem: str) -> int:
    click.echo(f"code: MCP server {name!r} does not work: {printable(problem)}", err=True)
    return FAILED
