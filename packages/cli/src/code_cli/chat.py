"""`code` without a command: chat in the terminal."""

from functools import partial
from typing import Any

import click

from code_cli.prompt_input import argument_text
from code_cli.run import run_frontend
from code_cli.session_options import overrides_from, session_options


@click.command("chat")
@click.argument("prompt", required=False)
@session_options
def chat_command(prompt: str | None, **session: Any) -> None:
    """Chat with the agent in the terminal, starting with PROMPT if given."""
    overrides = overrides_from(**session)

    from code_tui.plain import run_plain

    run_frontend(partial(run_plain, overrides, argument_text(prompt or "")))
