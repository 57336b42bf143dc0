"""The `code` command. It imports only click; each command imports what it needs."""

import os
import sys

import click

from code_cli.lazy_group import Entry, LazyGroup
from code_cli.pydantic_import import make_pydantic_cheaper
from code_cli.terminal import guard_standard_streams

COMMANDS = {
    "exec": Entry("code_cli.exec:exec_command", "Run one prompt to completion without asking (alias: e)."),
    "e": Entry("code_cli.exec:exec_command", "", hidden=True),
    "chat": Entry("code_cli.chat:chat_command", "Chat in the terminal (the default)."),
    "config": Entry(
        "code_cli.config:config_command", "Show, explain and change settings, and trust those of a project."
    ),
    "login": Entry("code_cli.login:login_command", "Save the provider's API key."),
    "logout": Entry("code_cli.login:logout_command", "Delete the saved API key."),
    "acp": Entry("code_cli.acp:acp_command", "Run as an agent for editors (ACP on stdin and stdout)."),
    "mcp-server": Entry("code_cli.mcp_server:mcp_server_command", "Serve MCP on stdin and stdout."),
    "mcp": Entry("code_cli.mcp:mcp_command", "List, add, remove and test MCP servers."),
    "resume": Entry("code_cli.resume:resume_command", "Resume a session."),
    "fork": Entry("code_cli.resume:fork_command", "Continue with a copy of a session."),
    "sessions": Entry("code_cli.sessions:sessions_command", "List, show, name, archive and delete sessions."),
    "undo": Entry("code_cli.undo:undo_command", "Undo the file changes of a session's last turn."),
    "redo": Entry("code_cli.undo:redo_command", "Redo the changes that were undone."),
    "sandbox": Entry("code_cli.sandbox:sandbox_command", "Run a command in the agent's sandbox."),
    "doctor": Entry("code_cli.doctor:doctor_command", "Report what works on this machine and what does not."),
    "apply-patch": Entry("code_cli.apply_patch:apply_patch_command", "Apply a patch in the agent's format."),
    "responses-api-proxy": Entry(
        "code_cli.responses_api_proxy:responses_api_proxy_command",
        "Hold an API key and forward POST /v1/responses with it.",
    ),
    "demo": Entry("code_cli.demo:demo_command", "Watch the agent fix a failing test, with a scripted model."),
}

# Commands and options of other agents; as prompts they would be sent to the model.
ELSEWHERE = {
    "--continue": "there is no option --continue: use code resume --last to resume the last session of this directory",
    "app": "there is no desktop app: use code acp with an editor",
    "app-server": "there is no app server: use code mcp-server to serve other programs",
    "apply": "there is no command 'apply': code exec changes your files directly, and code apply-patch applies a patch",
    "cloud": "there are no cloud tasks",
    "completion": "there are no shell completions yet",
    "completions": "there are no shell completions yet",
    "debug": "there is no command 'debug': set CODE_LOG=debug, or use code doctor",
    "execpolicy": "there is no command 'execpolicy': rules are files in <home>/rules",
    "features": "there are no feature switches",
    "help": "there is no command 'help': use code --help, or code COMMAND --help",
    "plugin": "there are no plugins: code mcp add adds an MCP server",
    "proto": "there is no command 'proto': use code exec --json, code acp or code mcp-server",
    "review": "there is no command 'review': use code exec \"review my changes\"",
    "update": "there is no command 'update': use the installer that installed code (uv tool upgrade, pip)",
    "upgrade": "there is no command 'upgrade': use the installer that installed code (uv tool upgrade, pip)",
    "version": "there is no command 'version': use code --version",
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
    elsewhere=ELSEWHERE,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "ignore_unknown_options": True},
    help="A coding agent for the terminal and for editors. `code PROMPT` starts a chat.",
)
@click.option(
    "-V",
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Start the default command if none is named."""
    if ctx.invoked_subcommand is None:
        from code_cli.chat import chat_command

        ctx.exit(chat_command.main(args=[], prog_name="code", standalone_mode=False))


def main() -> None:
    """Run the command and exit with its code; the console script."""
    make_pydantic_cheaper()
    _reopen_closed_streams()
    guard_standard_streams()
    try:
        sys.exit(cli.main(prog_name="code"))
    except OSError as error:
        from code_cli.run import report_os_error

        sys.exit(report_os_error(error))


def _reopen_closed_streams() -> None:
    """Open standard streams that were closed (`>&-`), so that none of our files gets their descriptors.

    Writing to standard output still fails, because a caller who closed it must not mistake silence for success.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            access = os.O_RDONLY if name == "stdout" else os.O_RDWR
            opened = os.open(os.devnull, access)  # gets the lowest free number, which is this one
            setattr(sys, name, os.fdopen(opened, mode, encoding="utf-8"))
