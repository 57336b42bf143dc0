"""`code sandbox`: runs a command, confined like the agent's commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from code_cli.session_options import SANDBOXES, SETTINGS

if TYPE_CHECKING:
    from code_core.config.load import Config
    from code_core.sandbox.sandbox import Sandbox

MECHANISMS = ("bwrap", "landlock", "seatbelt")
FAILED, CANNOT_RUN, NOT_FOUND = 1, 126, 127
END_SECONDS = 3.0


@click.command(
    "sandbox", context_settings={"help_option_names": ["-h", "--help"], "allow_interspersed_args": False}
)
@click.option(
    "-s", "--sandbox", "mode", type=click.Choice(SANDBOXES[:2]), help="Choose what the command may touch."
)
@SETTINGS
@click.option("-C", "--cd", "cwd", type=click.Path(path_type=Path), help="Run in this directory.")
@click.option(
    "--mechanism", type=click.Choice(MECHANISMS), help="Use this mechanism instead of the best one."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def sandbox_command(
    mode: str | None,
    settings: tuple[str, ...],
    cwd: Path | None,
    mechanism: str | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND in the sandbox: code sandbox -- ls -l.

    Without COMMAND, report how commands are confined on this machine, and why no better mechanism works.
    """
    from code_core.errors import ConfigError

    if not command:
        from code_core.sandbox.detection import detect

        click.echo(str(detect()))
        return
    try:
        config = _config(mode, settings, cwd)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    for warning in config.warnings:
        click.echo(f"code: {warning}", err=True)
    sys.exit(_run(command, config, _sandbox(mechanism)))


def _config(mode: str | None, settings: tuple[str, ...], cwd: Path | None) -> "Config":
    """Load the settings, with the sandbox mode from them or the options.

    Raises:
        ConfigError: a setting or an option is invalid.
    """
    from code_core.config.load import ConfigOverrides, load_config
    from code_core.config.overrides import parse_setting
    from code_core.errors import ConfigError
    from code_core.protocol.policies import DangerFullAccess, SandboxMode

    overrides = ConfigOverrides(
        cwd=cwd,
        sandbox_mode=SandboxMode(mode) if mode else None,
        settings=tuple(parse_setting(text) for text in settings),
    )
    config = load_config(overrides)
    if isinstance(config.sandbox_policy, DangerFullAccess):
        raise ConfigError(
            "the settings say danger-full-access: use -s to choose a mode that confines commands"
        )
    return config


def _sandbox(mechanism: str | None) -> "Sandbox":
    """The sandbox to use; ends the command if this machine has none."""
    from code_core.sandbox.detection import detect, find

    match mechanism:
        case "bwrap" | "landlock" | "seatbelt":
            finding = find(mechanism)
            sandbox, reason = finding.sandbox, f"{finding.mechanism}: {finding.detail}"
        case _:
            sandbox, reason = detect().sandbox, str(detect())
    if sandbox is None:
        print(f"code sandbox: not run, because it cannot be confined\n{reason}", file=sys.stderr)
        sys.exit(FAILED)
    return sandbox


def _run(command: tuple[str, ...], config: "Config", sandbox: "Sandbox") -> int:
    from code_core.process.spawn import SpawnError, require_program
    from code_core.safety.environment import child_environment
    from code_core.sandbox.confinement import confinement_of
    from code_core.sandbox.placeholders import placeholders

    table = config.environment
    environment = child_environment(
        os.environ,
        inherit=table.inherit,
        ignore_default_excludes=table.ignore_default_excludes,
        exclude=table.exclude,
        set_=table.set,
        include_only=table.include_only,
    )
    try:
        require_program(command[0], config.cwd, environment)
    except SpawnError as error:
        print(f"code sandbox: {error}", file=sys.stderr)
        return NOT_FOUND
    confinement = confinement_of(config.sandbox_policy, config.cwd, config.home.path, environment)
    ready = placeholders(confinement) if sandbox.protects else nullcontext(confinement)
    _exit_on_signals()
    with ready as rights, _terminal_kept():
        try:
            with sandbox.confined(command, rights, config.cwd, environment) as launch:
                # In its own session, because one in the terminal's session could take part in its job control.
                process = subprocess.Popen(
                    launch.argv,
                    cwd=config.cwd,
                    env=launch.environment,
                    pass_fds=launch.fds,
                    start_new_session=True,
                )
        except (OSError, ValueError, SpawnError) as error:
            print(f"code sandbox: {command[0]!r} cannot be run: {error}", file=sys.stderr)
            return CANNOT_RUN
        try:
            code = process.wait()
        except SystemExit:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            raise
    return code if code >= 0 else 128 - code


def _exit_on_signals() -> None:
    """Exit on the first signal that asks for it, so that mount points are removed and the terminal is restored."""
    from code_core.signals import ending_signals

    numbers = [*ending_signals(), signal.SIGQUIT]

    def end(number: int, _: object) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in numbers:
        signal.signal(number, end)


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Restore the terminal afterwards, because a command may leave it without echo."""
    import termios  # not available on Windows, where nothing is confined

    try:
        before = termios.tcgetattr(sys.stdin.fileno())
    except (OSError, ValueError, termios.error):  # not a terminal, or closed
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, before)
