"""`code acp`."""

import sys
from functools import partial
from importlib import import_module
from typing import Any

import click

from code_cli.session_options import checked_directory, checked_options, overrides_from, session_options

ENGINE = (
    "anyio",
    "pydantic",
    "code_core.protocol.events",
    "code_core.config.load",
    "code_core.session.manager",
)
"""Imported piece by piece after the first answer, so that a client that wants only that answer can quit early."""

BY_HAND = "code acp speaks ACP on standard input and output, and is meant to be started by an editor. Ctrl+C ends it."


@click.command("acp")
@session_options
@click.argument("action", required=False, type=click.Choice(["login"]), metavar="[login]")
def acp_command(action: str | None, **session: Any) -> None:
    """Run as an agent for editors: the Agent Client Protocol on stdin and stdout.

    The options apply to every session, unless the editor changes them.

    With login, ask for the provider's API key and save it. Editors start this in a terminal.
    """
    checked_options(**session)
    checked_directory(session["cwd"])
    if action == "login":
        from code_cli.login import log_in

        log_in(overrides_from(**session))
        return
    from code_mcp_server.acp.handshake import client_left, shake_hands
    from code_mcp_server.acp.streams import taken_streams

    if sys.stdin.isatty():
        click.echo(BY_HAND, err=True)
    with taken_streams() as (stdin, stdout):
        opening = shake_hands(stdin, stdout)
        if opening.client is None:
            return
        # The client has its answer, so import the rest now.
        for module in ENGINE:
            if client_left(stdin, opening):
                return
            import_module(module)
        overrides = overrides_from(**session)

        from code_cli.run import run_frontend
        from code_mcp_server.acp.run import run_agent

        run_frontend(partial(run_agent, opening, overrides, stdin, stdout))
