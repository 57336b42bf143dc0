"""`code mcp login`: signs in to an HTTP server."""

import os
import webbrowser

import anyio
import anyio.to_thread
import click

from code_core.config.paths import find_home
from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers.launch import token_path
from code_core.view.visible import visible
from code_mcp_client import McpClientError
from code_mcp_client.sign_in import TokenFile, sign_in

FAILED = 1


async def login(name: str, table: McpServerTable) -> int:
    """Sign in and print the result; return 0, or 1 on failure."""
    if table.url is None:
        click.echo(f"code: {name} is not an HTTP server: there is nothing to sign in to", err=True)
        return FAILED
    file = TokenFile(token_path(find_home(os.environ).path, name), table.url)
    try:
        signed_in = await sign_in(table.url, file, _visit)
    except (McpClientError, OSError) as error:
        click.echo(f"code: cannot sign in to {name}: {visible(str(error))}", err=True)
        return FAILED
    click.echo(f"signed in to {name}" if signed_in else f"{name} does not require signing in")
    return 0


async def _visit(page: str) -> None:
    """Open a page in the browser, or print its address; only web pages, whatever the server sends."""
    if not page.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise McpClientError(f"the sign-in page is not a web address: {visible(page[:100])}")
    click.echo(f"sign in on this page: {visible(page)}", err=True)
    if "BROWSER" in os.environ or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ:
        with anyio.move_on_after(5):
            await anyio.to_thread.run_sync(webbrowser.open, page, abandon_on_cancel=True)
