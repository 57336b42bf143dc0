"""`-c key=value`: settings for one run."""

import tomllib
from collections.abc import Iterator
from typing import Any

from code_core.config.toml_source import parse_key
from code_core.errors import ConfigError

Setting = tuple[str, Any]
"""A dotted key, whose parts may be quoted as in TOML, and its value."""


def parse_setting(text: str) -> Setting:
    """Parse `key=value`; a value that is not TOML is a string.

    Raises:
        ConfigError: the `=` is missing, or a part of the key is empty.
    """
    key, raw = next(_splits(text), (None, ""))
    if key is None:
        raise ConfigError(f"-c {text!r} is not of the form key=value, such as -c model=gpt-5 or -c a.b=true")
    try:
        parsed = tomllib.loads(f"value = {raw.strip()}")
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = {}
    return key, parsed["value"] if list(parsed) == ["value"] else raw.strip()


def key_path(key: str) -> tuple[str, ...]:
    """Split a setting's key as TOML does or, if that fails, at the dots.

    Raises:
        ConfigError: a part is empty.
    """
    parts = parse_key(key) or tuple(part.strip() for part in key.split("."))
    if not all(parts):
        raise ConfigError(
            f"{key!r} is not a key: separate its parts with single dots, such as limits.max_tool_calls"
        )
    return parts


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Key and value, split at the first `=` outside quotes, or else at the first one."""
    at = text.find("=")
    while at >= 0:
        if parse_key(text[:at]) is not None:
            yield text[:at], text[at + 1 :]
        at = text.find("=", at + 1)
    key, equals, raw = text.partition("=")
    if equals and all(part.strip() for part in key.split(".")):
        yield key, raw
