"""`code login` and `code logout`: manage the saved API key of the configured provider."""

import os
import sys
from getpass import getpass
from typing import TYPE_CHECKING

import click

from code_cli.run import FAILED, raise_on_interrupt, settings_checked
from code_cli.session_options import PROFILE, SETTINGS, CommandT

if TYPE_CHECKING:
    from code_core.config.load import Config, ConfigOverrides

_LONGEST_INPUT = 65_536


def _chooses_provider(command: CommandT) -> CommandT:
    return PROFILE(SETTINGS(command))


@click.group("login", invoke_without_command=True)
@_chooses_provider
@click.option("--with-api-key", is_flag=True, help="Read the key from standard input.")
@click.pass_context
def login_command(
    ctx: click.Context, profile: str | None, settings: tuple[str, ...], with_api_key: bool
) -> None:
    """Ask for the API key of the configured provider, and save it.

    Only you can read the file with the key. If the provider's variable, such as OPENAI_API_KEY, is set, its
    key is used instead.
    """
    ctx.obj = (profile, settings)
    if ctx.invoked_subcommand is None:
        log_in(_overrides(profile, settings), from_stdin=with_api_key)
    elif with_api_key:
        raise click.UsageError("--with-api-key is an option of code login alone, not of its commands")


@login_command.command("status")
@_chooses_provider
@click.pass_context
def status_command(ctx: click.Context, profile: str | None, settings: tuple[str, ...]) -> None:
    """Show where the key comes from. The exit code is 1 if it is missing."""
    from code_core.errors import ConfigError
    from code_core.model.saved_keys import SavedKeys, where_the_key_is

    given, given_settings = ctx.obj
    with settings_checked():
        config = _config(_overrides(profile or given, (*given_settings, *settings)))
        where = where_the_key_is(config.provider, SavedKeys(config.home.path))
        if where is None:
            try:
                config.provider.api_key(os.environb)
            except ConfigError as error:
                click.echo(f"code: {error}", err=True)
            sys.exit(FAILED)
    click.echo(f"{config.provider.name}: {'the key is ' if config.provider.env_key else ''}{where}")


@click.command("logout")
@_chooses_provider
def logout_command(profile: str | None, settings: tuple[str, ...]) -> None:
    """Delete the saved API key of the configured provider."""
    from code_core.model.saved_keys import SavedKeys

    with settings_checked():
        config = _config(_overrides(profile, settings))
        provider = config.provider
        removed = SavedKeys(config.home.path).remove(provider)
    click.echo(
        f"deleted the saved API key for {provider.name}"
        if removed
        else f"there is no saved API key for {provider.name}"
    )
    if provider.env_key and os.environ.get(provider.env_key, "").strip():
        click.echo(f"{provider.env_key} is still set in your environment, and is used", err=True)


def log_in(overrides: "ConfigOverrides", *, from_stdin: bool = False) -> None:
    """Ask for the key of the configured provider and save it; exits with 2 on failure.

    Args:
        overrides: selects the provider.
        from_stdin: read the key from standard input instead.
    """
    from code_core.model.saved_keys import SavedKeys

    with settings_checked():
        config = _config(overrides)
        provider = config.provider
        saved = SavedKeys(config.home.path)
        saved.file_of(provider)  # checked before the user is asked
        path = saved.save(
            provider, _read() if from_stdin else _ask(provider.name, provider.env_key_instructions)
        )
    click.echo(f"saved the API key for {provider.name} in {path}")
    if provider.env_key and os.environ.get(provider.env_key, "").strip():
        click.echo(f"{provider.env_key} is set in your environment, and takes precedence", err=True)


def _ask(provider: str, instructions: str | None) -> bytes:
    """Return the key that the user types, without echo.

    Raises:
        click.UsageError: standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(
            "standard input is not a terminal: use code login --with-api-key to read the key from it"
        )
    if instructions:
        click.echo(f"Get a key: {instructions}", err=True)
    raise_on_interrupt()  # otherwise Ctrl+C would leave the terminal without echo
    try:
        typed = getpass(f"API key for {provider} (it is not shown): ")
    except EOFError:
        raise click.UsageError("no key was entered") from None
    return typed.strip().encode("utf-8", "surrogateescape")


def _read() -> bytes:
    """Return the key on standard input."""
    if sys.stdin.isatty():
        click.echo(
            "Type or paste the key, then Enter and Ctrl+D. It is shown; code login alone hides it.", err=True
        )
    return sys.stdin.buffer.read(_LONGEST_INPUT).strip()


def _overrides(profile: str | None, settings: tuple[str, ...]) -> "ConfigOverrides":
    from code_core.config.load import ConfigOverrides
    from code_core.config.overrides import parse_setting

    with settings_checked():
        return ConfigOverrides(profile=profile, settings=tuple(parse_setting(text) for text in settings))


def _config(overrides: "ConfigOverrides") -> "Config":
    from code_core.config.load import load_config

    return load_config(overrides)
