"""`code mcp-server`."""

from functools import partial
from typing import Any

import click

from code_cli.run import run_frontend
from code_cli.session_options import checked_options, overrides_from, session_options


@click.command("mcp-server")
@session_options
def mcp_server_command(**session: Any) -> None:
    """Serve MCP on stdin and stdout: the tools codex and codex-reply, and session/* when enabled.

    The options are the settings of every conversation that does not choose its own.
    """
    checked_options(**session)

    from code_mcp_server.run import run_server

    run_frontend(partial(run_server, partial(overrides_from, **session)))
