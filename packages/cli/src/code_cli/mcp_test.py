"""`code mcp test`: starts one server and lists its tools."""

from pathlib import Path

import click

from code_cli.mcp_probe import probe
from code_core.config.schema.servers import McpServerTable
from code_core.view.visible import visible
from code_mcp_client import McpClientError

FAILED = 1


async def try_server(name: str, table: McpServerTable, cwd: Path) -> int:
    """Print the server's information and tools; return 0, or 1 if it does not work."""
    try:
        server = await probe(name, table, cwd)
    except McpClientError as error:
        click.echo(f"code: MCP server {name!r} does not work: {visible(str(error))}", err=True)
        return FAILED
    for warning in server.warnings:
        click.echo(f"code: {visible(warning)}", err=True)
    click.echo(visible(f"{name}: {server.about}"))
    click.echo(
        f"ready after {server.ready * 1e3:.0f} ms, tools listed in {(server.listed - server.ready) * 1e3:.0f} ms"
    )
    count = len(server.tools)
    click.echo(f"{count} {'tool' if count == 1 else 'tools'}{':' if count else ''}")
    for tool, text in server.tools:
        first = text.strip().partition("\n")[0]
        click.echo(visible(f"  {tool}  {first}".rstrip()))
    return 0
