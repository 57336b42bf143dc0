"""The `code` command. It imports nothing but click: each command imports what it needs."""

import io
import sys

import click

from code_cli.lazy_group import Entry, LazyGroup

COMMANDS = {
    "exec": Entry("code_cli.exec:exec_command", "Run one prompt to its end, without questions (alias: e)."),
    "e": Entry("code_cli.exec:exec_command", "", hidden=True),
    "chat": Entry("code_cli.chat:chat_command", "Talk in the terminal; the default."),
    "mcp-server": Entry("code_cli.mcp_server:mcp_server_command", "Serve MCP on stdin and stdout."),
    "mcp": Entry("code_cli.mcp:mcp_command", "List, add, remove and try MCP servers."),
    "sandbox": Entry("code_cli.sandbox:sandbox_command", "Run a command as the agent would, confined."),
    "doctor": Entry("code_cli.doctor:doctor_command", "Say what works here, and what does not."),
    "apply-patch": Entry("code_cli.apply_patch:apply_patch_command", "Apply a patch in the agent's format."),
    "responses-api-proxy": Entry(
        "code_cli.responses_api_proxy:responses_api_proxy_command",
        "Hold an API key for others, and forward POST /v1/responses with it.",
    ),
    "demo": Entry("code_cli.demo:demo_command", "Watch the agent fix a failing test, with a scripted model."),
}


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        click.echo(f"code {metadata.version('code-cli')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    default="chat",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
    help="A coding agent for the terminal and for editors. `code PROMPT` begins to talk.",
)
@click.option("-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Start the default command where none is named."""
    if ctx.invoked_subcommand is None:
        from code_cli.chat import chat_command

        ctx.exit(chat_command.main(args=[], prog_name="code", standalone_mode=False))


def main() -> None:
    """The console script: runs the command and exits with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # models write what a terminal may not have
    sys.exit(cli.main(prog_name="code"))
