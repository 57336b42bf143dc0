"""Reads every layer of the settings, weakest first."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from code_core.config.layers import Layer, LayerKind, deciding, merged, nested, values_at
from code_core.config.overrides import Setting, key_path
from code_core.config.paths import Home
from code_core.config.project_settings import (
    ProjectSettings,
    Trust,
    directory_table,
    project_layer,
    read_project_settings,
)
from code_core.config.schema.file import ConfigFile
from code_core.config.spellings import canonical
from code_core.config.toml_source import KeyPath, parse, read_text
from code_core.config.variables import provider_layers, scenario_layers
from code_core.errors import ConfigError
from code_core.files.checkout import Checkout, DistrustedFileError
from code_core.frozen import frozen
from code_core.view.visible import visible

SYSTEM_FILE = Path("/etc/code/config.toml")
_OF_A_DIRECTORY = ("approval_policy", "sandbox_mode")


@frozen
class Run:
    """Settings for one run.

    Attributes:
        profile: the requested profile.
        settings: `-c` options.
        options: what other options set, by key.
        client: settings from a client, by dotted key; null sets nothing.
        scenario: the scenario to replay.
    """

    profile: str | None = None
    settings: tuple[Setting, ...] = ()
    options: Mapping[str, Any] | None = None
    client: tuple[Setting, ...] = ()
    scenario: Path | None = None


@frozen
class Sources:
    """All layers, weakest first.

    Attributes:
        project: the project's settings file, whether it applies or not.
        warnings: what does not apply, and why.
    """

    layers: tuple[Layer, ...]
    project: ProjectSettings | None = None
    warnings: tuple[str, ...] = ()


def read_sources(
    home: Home,
    cwd: Path,
    project: Checkout | None,
    run: Run,
    environ: Mapping[str, str],
    system: Path = SYSTEM_FILE,
) -> Sources:
    """Read every layer.

    Args:
        home: the directory with the user's settings.
        cwd: the directory to work in.
        project: the checkout that contains it.
        run: the settings for this run.
        environ: the environment variables.
        system: the settings for all users of the machine.

    Raises:
        ConfigError: a file cannot be read or is not TOML, or the profile is unknown.
    """
    base = [*_file(LayerKind.SYSTEM, system), *_file(LayerKind.USER, home.config_file)]
    asked = [*_set(LayerKind.SETTING, run.settings)]
    client = [*_set(LayerKind.CLIENT, run.client)]
    users = (*base, *asked, *client)

    directories = [cwd, *([project.root] if project is not None else [])]
    where, table = directory_table(users, directories)
    named = {key: table[key] for key in _OF_A_DIRECTORY if key in table}
    directory = [_part(LayerKind.DIRECTORY, users, where, named)] if named else []

    found, own, warnings = _project(home, project, users)
    options = [Layer(LayerKind.OPTION, "an option", dict(run.options))] if run.options else []
    layers = (
        *provider_layers(environ),
        *base,
        *directory,
        *_profile(users, run.profile),
        *own,
        *asked,
        *options,
        *client,
        *scenario_layers(run.scenario, environ),
    )
    return Sources(layers, found, tuple(warnings))


def file_layers(home: Home) -> tuple[Layer, ...]:
    """Return the user's settings file alone.

    Raises:
        ConfigError: it cannot be read or is not TOML.
    """
    return tuple(_file(LayerKind.USER, home.config_file))


def _file(kind: LayerKind, path: Path) -> Iterable[Layer]:
    if text := read_text(path):
        yield Layer(kind, str(path), canonical(parse(text, path), ConfigFile), text)


def _set(kind: LayerKind, settings: Iterable[Setting]) -> Iterable[Layer]:
    for key, value in settings:
        if value is not None:
            name = f"-c {key}" if kind is LayerKind.SETTING else f"the client's {key}"
            yield Layer(kind, name, canonical(nested(key_path(key), value), ConfigFile))


def _part(kind: LayerKind, layers: tuple[Layer, ...], path: KeyPath, table: Mapping[str, Any]) -> Layer:
    """A layer that is a table within others; its line numbers refer to the layer that sets it."""
    whole = deciding(layers, path)
    name, text = ("the settings", "") if whole is None else (whole.name, whole.text)
    return Layer(kind, name, table, text, path)


def _profile(layers: tuple[Layer, ...], name: str | None) -> list[Layer]:
    where = ""
    if name is None and (chosen := next(values_at(layers, ("profile",)), None)) is not None:
        name = chosen.value if isinstance(chosen.value, str) else None
        where = f"{chosen.layer.locate(('profile',))}: "
    if name is None:
        return []
    profiles = merged(layers).get("profiles")
    table = profiles.get(name) if isinstance(profiles, Mapping) else None
    if not isinstance(table, Mapping):
        known = ", ".join(sorted(profiles)) if isinstance(profiles, Mapping) and profiles else "none"
        raise ConfigError(f"{where}profile {name!r} is not in the settings file (profiles there: {known})")
    return [_part(LayerKind.PROFILE, layers, ("profiles", name), table)]


def _project(
    home: Home, project: Checkout | None, layers: tuple[Layer, ...]
) -> tuple[ProjectSettings | None, list[Layer], list[str]]:
    if project is None:
        return None, [], []
    try:
        settings = read_project_settings(project, home.config_file, layers)
    except DistrustedFileError as error:
        return None, [], [visible(str(error))]
    if settings is None or settings.trust is not Trust.TRUSTED:
        warning = settings.warning if settings is not None else None
        return settings, [], [visible(warning)] if warning else []
    table = canonical(parse(settings.text, settings.path), ConfigFile)
    layer, warnings = project_layer(settings, table)
    return settings, [layer], [visible(warning) for warning in warnings]
