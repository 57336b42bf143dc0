"""Parses TOML files and finds the line of a key for error messages."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from code_core.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""The path of a value in nested tables; numbers are indices of arrays."""

LONGEST_STATEMENT = 2_000
"""Lines of a single value beyond which no line numbers are given."""


def read_text(path: Path) -> str:
    """Return the text of a settings file; empty if it does not exist.

    Raises:
        ConfigError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} cannot be read: byte {error.start} is not UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def parse(text: str, path: Path) -> dict[str, Any]:
    """Parse `text`, read from `path`.

    Raises:
        ConfigError: it is not TOML; says where.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        hint = ": strings need quotes" if str(error).startswith("Invalid value") else ""
        raise ConfigError(f"{path} is not TOML: {error}{hint}") from error


def parse_key(text: str) -> tuple[str, ...] | None:
    """Return the parts of a dotted key, which may be quoted, or None if `text` is not one."""
    if "\n" in text or "\r" in text:
        return None
    try:
        value: Any = tomllib.loads(f"{text} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    return tuple(str(part) for part in _path_of(value))


def line_of(text: str, path: KeyPath) -> int | None:
    """Return the line, counted from 1, at which the value at `path` or the innermost table around it begins."""
    best, deepest = None, 0
    for line, table, values in _statements(text):
        depth = _depth(path, table, values)
        if depth > deepest:
            best, deepest = line, depth
    return best


def _statements(text: str) -> Iterator[tuple[int, KeyPath, dict[str, Any]]]:
    """Each table header and assignment: its first line, its table, and what it assigns."""
    table: KeyPath = ()
    arrays: Counter[KeyPath] = Counter()
    pending: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        pending.append(line)
        try:
            parsed = tomllib.loads("\n".join(pending))
        except tomllib.TOMLDecodeError:
            if len(pending) > LONGEST_STATEMENT:
                return
            continue
        first, pending = number - len(pending) + 1, []
        if line.lstrip().startswith("[["):
            name = _path_of(parsed)[:-1]
            table = (*name, arrays[name])
            arrays[name] += 1
            yield first, table, {}
        elif line.lstrip().startswith("[") and first == number:
            table = _path_of(parsed)
            yield first, table, {}
        elif parsed:
            yield first, table, parsed


def _path_of(value: Any) -> KeyPath:
    """The keys down to the innermost value, through tables that contain one value each."""
    path: list[str | int] = []
    while isinstance(value, dict | list) and value:
        key = 0 if isinstance(value, list) else next(iter(value))
        path.append(key)
        value = value[key]
    return tuple(path)


def _depth(path: KeyPath, table: KeyPath, values: Any) -> int:
    """How many parts of `path` a statement spells out; 0 if it concerns something else."""
    shared = min(len(path), len(table))
    if path[:shared] != table[:shared]:
        return 0
    depth = shared
    for part in path[shared:]:
        if isinstance(values, dict):
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            break
        if values is None:
            break
        depth += 1
    return depth
