"""`code responses-api-proxy`."""

import os
import sys

import click


@click.command(
    "responses-api-proxy", add_help_option=False, context_settings={"ignore_unknown_options": True}
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def responses_api_proxy_command(arguments: tuple[str, ...]) -> None:
    """Hold an API key, read from standard input, and forward POST /v1/responses with it.

    Takes the options of `code-responses-api-proxy`, which replaces this process in isolated mode,
    because a process that has imported other modules should not hold a key.
    """
    from code_process_hardening import isolated_command

    command = isolated_command("code_responses_api_proxy", arguments)
    os.execv(sys.executable, command)  # noqa: S606 - no shell is the point
