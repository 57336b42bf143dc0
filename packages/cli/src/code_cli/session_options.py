"""The options shared by several commands, and those of all commands with a session."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from code_cli.run import USAGE

if TYPE_CHECKING:
    from code_core.config.load import ConfigOverrides

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

APPROVALS = ("untrusted", "on-failure", "on-request", "never")
SANDBOXES = ("read-only", "workspace-write", "danger-full-access")

PROFILE = click.option("-p", "--profile", help="Use this profile from the settings file.")
SETTINGS = click.option(
    "-c",
    "--config",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting; VALUE is TOML.",
)
DIRECTORY = click.option("-C", "--cd", "cwd", type=click.Path(path_type=Path), help="Work in this directory.")

_OPTIONS = (
    click.option("-m", "--model", help="Use this model."),
    PROFILE,
    SETTINGS,
    click.option(
        "-s", "--sandbox", type=click.Choice(SANDBOXES), help="Choose what commands and patches may touch."
    ),
    click.option(
        "-a",
        "--ask-for-approval",
        "approval",
        type=click.Choice(APPROVALS),
        help="Choose when to ask for approval.",
    ),
    DIRECTORY,
    click.option("--oss", is_flag=True, help="Use a local Ollama server."),
    click.option("--full-auto", is_flag=True, help="Same as -a on-failure -s workspace-write."),
    click.option(
        "--plan/--no-plan",
        default=None,
        help="Turn plan mode on or off: change nothing until you accept the agent's plan.",
    ),
    click.option("--ephemeral", is_flag=True, help="Do not record the session."),
    click.option(
        "--dangerously-bypass-approvals-and-sandbox",
        "bypass",
        is_flag=True,
        help="Run everything without asking. Use this only where nothing can be lost.",
    ),
)


def session_options(command: CommandT) -> CommandT:
    """Add the options to a click command; `overrides_from` reads them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def checked_options(
    *, full_auto: bool, bypass: bool, sandbox: str | None, approval: str | None, **_: object
) -> None:
    """Check what can be checked without loading the engine.

    Raises:
        click.UsageError: options contradict each other.
    """
    if full_auto and bypass:
        raise click.UsageError(
            "--full-auto and --dangerously-bypass-approvals-and-sandbox cannot be combined"
        )
    if bypass and (sandbox or approval):
        raise click.UsageError("--dangerously-bypass-approvals-and-sandbox cannot be combined with -s or -a")


def checked_directory(cwd: Path | None) -> None:
    """Exit with 2 and one line if the working directory is not a directory.

    For commands that answer their client before they read settings.
    """
    if cwd is None:
        return
    from code_core.config.paths import is_directory

    if not is_directory(cwd):
        from code_core.view.visible import readable

        click.echo(
            f"code: the working directory {readable(repr(os.fspath(cwd)))} is not a directory", err=True
        )
        sys.exit(USAGE)


def overrides_from(
    *,
    model: str | None,
    profile: str | None,
    settings: tuple[str, ...],
    sandbox: str | None,
    approval: str | None,
    cwd: Path | None,
    oss: bool,
    full_auto: bool,
    bypass: bool,
    plan: bool | None,
    ephemeral: bool,
) -> "ConfigOverrides":
    """Return the options as overrides.

    Raises:
        click.UsageError: options contradict each other.
    """
    from code_core.config.load import ConfigOverrides
    from code_core.config.overrides import parse_setting
    from code_core.errors import ConfigError
    from code_core.protocol.policies import AskForApproval, SandboxMode

    checked_options(full_auto=full_auto, bypass=bypass, sandbox=sandbox, approval=approval)
    if bypass:
        sandbox, approval = "danger-full-access", "never"
    if full_auto:
        sandbox, approval = sandbox or "workspace-write", approval or "on-failure"
    try:
        parsed = tuple(parse_setting(text) for text in settings)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if plan is not None:
        parsed = (*parsed, ("collaboration_mode", "plan" if plan else "default"))
    return ConfigOverrides(
        model=model or ("gpt-oss:20b" if oss else None),
        model_provider="oss" if oss else None,
        profile=profile,
        cwd=cwd,
        approval_policy=AskForApproval(approval) if approval else None,
        sandbox_mode=SandboxMode(sandbox) if sandbox else None,
        settings=parsed,
        ephemeral=ephemeral or None,
    )
