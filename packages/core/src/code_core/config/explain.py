"""Explains the value of a setting and which layer it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr

from code_core.config.check import checked, dotted, may_be_secret, suggestion
from code_core.config.layers import Found, Layer, nested, values_at
from code_core.config.schema.file import ConfigFile
from code_core.config.schema.unsupported import reason_at
from code_core.config.schema_walk import unknown_keys
from code_core.config.spellings import canonical
from code_core.config.toml_source import KeyPath
from code_core.errors import ConfigError
from code_core.frozen import frozen

MASK = "*****"
"""Shown in place of a value that may be secret."""


@frozen
class Explanation:
    """The current value of a setting.

    Attributes:
        path: its key.
        value: the effective value, in JSON types; values that may be secret are masked.
        found: where it is set, in order of precedence; empty for the default. Tables are merged, so
            several layers may contribute to one.
    """

    path: KeyPath
    value: Any
    found: tuple[Found, ...] = ()


def explain(layers: Sequence[Layer], path: KeyPath) -> Explanation:
    """Return the setting at `path`.

    Raises:
        ConfigError: the setting does not exist or has no effect, or the settings are invalid.
    """
    path = known_path(path)
    settings, _ = checked(layers)
    found = tuple(Found(one.layer, shown(path, one.value)) for one in values_at(layers, path))
    return Explanation(path, shown(path, _value(settings, path)), found)


def explain_all(layers: Sequence[Layer]) -> Iterator[Explanation]:
    """Yield every setting that a layer sets.

    Raises:
        ConfigError: the settings are invalid.
    """
    settings, _ = checked(layers)
    paths = {path: None for layer in layers for path in _leaves(layer.table)}
    for path in sorted(paths, key=dotted):
        if next(unknown_keys(nested(path, None), ConfigFile), None) is None and reason_at(path) is None:
            found = tuple(Found(one.layer, shown(path, one.value)) for one in values_at(layers, path))
            if found:
                yield Explanation(path, shown(path, _value(settings, path)), found)


def known_path(path: KeyPath) -> KeyPath:
    """Return `path` with canonical key names.

    Raises:
        ConfigError: the setting does not exist or has no effect, with the reason.
    """
    path = _first_leaf(canonical(nested(path, None), ConfigFile))
    if reason := reason_at(path):
        raise ConfigError(f"{dotted(path)} has no effect here: {reason}")
    for unknown, known in unknown_keys(nested(path, None), ConfigFile):
        raise ConfigError(f"unknown setting {dotted(unknown)}{suggestion(unknown[-1], known)}")
    return path


def shown(path: KeyPath, value: Any) -> Any:
    """Return `value` in JSON types, with possible secrets masked."""
    if isinstance(value, SecretStr) or (may_be_secret(path) and not isinstance(value, Mapping | list | None)):
        return MASK
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {key: shown((*path, key), getattr(value, key)) for key in fields}
    if isinstance(value, Mapping):
        return {str(key): shown((*path, str(key)), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(path, item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def _value(settings: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(settings, BaseModel) and part in type(settings).model_fields:
            settings = getattr(settings, str(part))
        elif isinstance(settings, Mapping):
            settings = settings.get(part)
        elif isinstance(settings, list) and isinstance(part, int) and part < len(settings):
            settings = settings[part]
        else:
            return None
    return settings


def _leaves(table: Mapping[str, Any], at: KeyPath = ()) -> Iterator[KeyPath]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*at, key))
        else:
            yield (*at, key)


def _first_leaf(table: Mapping[str, Any]) -> KeyPath:
    return next(_leaves(table))
