"""`-c key=value`: settings for one run."""

import tomllib
from collections.abc import Iterable
from typing import Any

from code_core.errors import ConfigError

Setting = tuple[str, Any]
"""A dotted key and its value."""


def parse_setting(text: str) -> Setting:
    """The setting that `key=value` spells; a value that is not TOML is a string.

    Raises:
        ConfigError: no `=`, or an empty part in the key.
    """
    key, equals, raw = text.partition("=")
    if not equals or not all(part.strip() for part in key.split(".")):
        raise ConfigError(f"-c {text!r} is not of the form key=value, such as -c model=gpt-5 or -c a.b=true")
    try:
        parsed = tomllib.loads(f"value = {raw.strip()}")
    except tomllib.TOMLDecodeError:
        parsed = {}
    return key, parsed["value"] if list(parsed) == ["value"] else raw.strip()


def merged(table: dict[str, Any], settings: Iterable[Setting]) -> dict[str, Any]:
    """`table` with each setting put in its place; `table` itself is not changed.

    Raises:
        ConfigError: a key goes into a value that is not a table.
    """
    for key, value in settings:
        table = _with(table, [part.strip() for part in key.split(".")], value, key)
    return table


def _with(table: dict[str, Any], path: list[str], value: Any, key: str) -> dict[str, Any]:
    head, *rest = path
    if not rest:
        return {**table, head: value}
    inner = table.get(head, {})
    if not isinstance(inner, dict):
        raise ConfigError(f"the setting {key!r} goes into {head!r}, which is not a table")
    return {**table, head: _with(inner, rest, value, key)}
