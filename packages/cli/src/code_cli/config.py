"""`code config`: shows settings and their origins, and changes them."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from code_cli.leading_options import LeadingOptionsGroup
from code_cli.run import settings_checked
from code_cli.session_options import DIRECTORY, PROFILE, SETTINGS, CommandT
from code_cli.typed_ahead import drop_typed_ahead

if TYPE_CHECKING:
    from code_core.config.explain import Explanation
    from code_core.config.project_settings import ProjectSettings
    from code_core.config.sources import Sources

_OPTIONS = (
    DIRECTORY,
    PROFILE,
    SETTINGS,
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def _of_a_run(command: CommandT) -> CommandT:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("config", cls=LeadingOptionsGroup, context_settings={"help_option_names": ["-h", "--help"]})
def config_command() -> None:
    """Show, explain and change settings, and trust those of a project."""


@config_command.command("get", short_help="Print the value of a setting.")
@click.argument("key")
@_of_a_run
def get_command(
    key: str, cwd: Path | None, profile: str | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Print the value of a setting. Values that could be secrets are masked."""
    from code_core.config.explain import explain
    from code_core.config.overrides import key_path

    with settings_checked():
        value = explain(_sources(cwd, profile, settings).layers, key_path(key)).value
    click.echo(json.dumps(value, indent=2) if as_json else _as_text(value))


@config_command.command("explain", short_help="Show where the value of a setting comes from.")
@click.argument("key", required=False)
@_of_a_run
def explain_command(
    key: str | None, cwd: Path | None, profile: str | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Explain where the value of a setting comes from. Without KEY, explain every key that is set."""
    from code_core.config.explain import explain, explain_all
    from code_core.config.overrides import key_path

    with settings_checked():
        sources = _sources(cwd, profile, settings)
        found = [explain(sources.layers, key_path(key))] if key else [*explain_all(sources.layers)]
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2))
        return
    for one in found:
        for line in _lines(one):
            click.echo(line)
    if not found:
        click.echo("nothing is set: every setting has its default", err=True)
    for warning in sources.warnings:
        click.echo(f"warning: {warning}", err=True)


@config_command.command("set", short_help="Change a setting in your settings file.")
@click.argument("key")
@click.argument("value")
def set_command(key: str, value: str) -> None:
    """Set KEY in your settings file to VALUE, which is TOML or a string. The rest of the file does not change."""
    from code_core.config.edit import set_values
    from code_core.config.explain import known_path
    from code_core.config.overrides import key_path, parse_setting
    from code_core.config.paths import find_home

    with settings_checked():
        path = known_path(key_path(key))
        file = set_values(find_home(os.environ), {path: parse_setting(f"value={value}")[1]})
    click.echo(f"set {key} in {file}")


@config_command.command("unset")
@click.argument("key")
def unset_command(key: str) -> None:
    """Remove KEY from your settings file."""
    from code_core.config.edit import remove_value
    from code_core.config.overrides import key_path
    from code_core.config.paths import find_home

    with settings_checked():
        file = remove_value(find_home(os.environ), key_path(key))
    click.echo(f"removed {key} from {file}")


@config_command.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the settings file."""
    from code_core.config.schema.file import ConfigFile

    click.echo(json.dumps(ConfigFile.model_json_schema(), indent=2))


@config_command.command("trust", short_help="Show a project's settings file, and trust it.")
@click.option("-C", "--cd", "cwd", type=click.Path(path_type=Path), help="A directory of the project.")
@click.option("-y", "--yes", is_flag=True, help="Show the file, but do not ask.")
def trust_command(cwd: Path | None, yes: bool) -> None:
    """Show a project's settings file, and trust it until it changes."""
    from code_core.config.paths import find_home
    from code_core.config.toml_source import parse
    from code_core.config.trust import remember
    from code_core.view.answers import parse_yes_or_no
    from code_core.view.questions import project_settings_text

    with settings_checked():
        project = _project(cwd)
        parse(project.text, project.path)
        question = project_settings_text(project.path, project.text)
        click.echo("\n".join(question.lines))
        if not yes and not sys.stdin.isatty():
            raise click.UsageError("cannot ask without a terminal: use --yes once you have read the file")
        answer = True if yes else None
        while answer is None:
            drop_typed_ahead()
            answer = parse_yes_or_no(click.prompt(f"{question.title} (y yes, n no)", prompt_suffix=": "))
        if not answer:
            click.echo("nothing changed; to record a no, use code config untrust")
            return
        file = remember(find_home(os.environ), project, trusted=True)
    click.echo(f"trusted; recorded in {file}")


@config_command.command("untrust")
@click.option("-C", "--cd", "cwd", type=click.Path(path_type=Path), help="A directory of the project.")
def untrust_command(cwd: Path | None) -> None:
    """Ignore a project's settings file, without warnings."""
    from code_core.config.paths import find_home
    from code_core.config.trust import remember

    with settings_checked():
        file = remember(find_home(os.environ), _project(cwd), trusted=False)
    click.echo(f"not trusted; recorded in {file}")


def _sources(cwd: Path | None, profile: str | None, settings: tuple[str, ...]) -> "Sources":
    from code_core.config.load import ConfigOverrides, read_settings
    from code_core.config.overrides import parse_setting

    parsed = tuple(parse_setting(text) for text in settings)
    return read_settings(ConfigOverrides(cwd=cwd, profile=profile, settings=parsed))


def _project(cwd: Path | None) -> "ProjectSettings":
    from code_core.errors import ConfigError

    sources = _sources(cwd, None, ())
    if sources.project is None:
        why = (
            sources.warnings[0]
            if sources.warnings
            else "this project has no settings: there is no .code/config.toml"
        )
        raise ConfigError(why)
    return sources.project


def _as_text(value: Any) -> str:
    return (
        value if isinstance(value, str) else json.dumps(value, indent=2 if isinstance(value, dict) else None)
    )


def _as_json(found: "Explanation") -> dict[str, Any]:
    from code_core.config.check import dotted

    layers = [
        {"layer": one.layer.kind.value, "source": one.layer.locate(found.path), "value": one.value}
        for one in found.found
    ]
    return {"key": dotted(found.path), "value": found.value, "layers": layers}


def _lines(explanation: "Explanation") -> list[str]:
    from code_core.config.check import dotted

    if not explanation.found:
        return [f"{dotted(explanation.path)} = {json.dumps(explanation.value)}  (the default)"]
    lines = [f"{dotted(explanation.path)} = {json.dumps(explanation.value)}"]
    verb = "set in"
    for found in explanation.found:
        where = found.layer.locate(explanation.path)
        value = "" if verb == "set in" else f": {json.dumps(found.value)}"
        lines.append(f"  {verb} {where} ({found.layer.kind.value}){value}")
        verb = "over" if not isinstance(explanation.value, dict) else "and in"
    return lines
