"""`code mcp-server`."""

import os
from functools import partial
from typing import Any

import click

from code_cli.run import run_frontend
from code_cli.session_options import checked_directory, checked_options, overrides_from, session_options


@click.command("mcp-server")
@session_options
@click.option(
    "--http",
    "port",
    type=click.IntRange(0, 65_535),
    metavar="PORT",
    help="Serve over HTTP on this port of 127.0.0.1 instead; clients must send the token in CODE_MCP_TOKEN.",
)
def mcp_server_command(port: int | None, **session: Any) -> None:
    """Serve MCP on stdin and stdout, with the tools codex and codex-reply, and session/* if enabled.

    The options are the defaults of every conversation.
    """
    checked_options(**session)
    checked_directory(session["cwd"])
    if port is not None:
        from code_mcp_server.http import run_http_server

        run_frontend(partial(run_http_server, partial(overrides_from, **session), port, os.environ))

    from code_mcp_server.run import run_server

    run_frontend(partial(run_server, partial(overrides_from, **session)))
