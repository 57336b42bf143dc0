"""Edits the settings file while preserving the rest of it, including comments."""

import fcntl
import os
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from code_core.config.check import dotted, mistakes_in
from code_core.config.paths import Home
from code_core.config.providers import url_problem
from code_core.config.schema.file import ConfigFile
from code_core.config.spellings import canonical
from code_core.config.toml_source import KeyPath, parse, read_text
from code_core.errors import ConfigError
from code_core.files.replace import replace_file

LONGEST_WAIT = 10.0
"""Seconds to wait for another process that edits the settings."""


def set_values(home: Home, values: Mapping[KeyPath, Any]) -> Path:
    """Set each value at its key in the settings file and return the file.

    Raises:
        ConfigError: the file cannot be read or written, or would become invalid.
    """
    with _alone(home):
        document = _read(home)
        before, wanted = tomlkit.dumps(document), document.unwrap()
        for path, value in values.items():
            _put(home, document, path, value)
            _put(home, wanted, path, value)
        return _write(home, document, before, wanted)


def remove_value(home: Home, path: KeyPath) -> Path:
    """Remove the value at `path`, and tables that become empty, from the settings file and return the file.

    Raises:
        ConfigError: it is not set there, or the file cannot be read or written, or would become invalid.
    """
    with _alone(home):
        document = _read(home)
        before, wanted = tomlkit.dumps(document), document.unwrap()
        for settings in (document, wanted):
            _take(home, settings, path)
        return _write(home, document, before, wanted)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Keep other processes from editing between our reading and our writing.

    Raises:
        ConfigError: another process does not finish its edit.
    """
    try:
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = os.open(home.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{home.path / 'config.toml'} cannot be written: {error.strerror}") from error
    try:
        deadline = time.monotonic() + LONGEST_WAIT
        while not _is_locked(directory):
            if time.monotonic() > deadline:
                raise ConfigError(f"another process is editing the settings in {home.path}: try again")
            time.sleep(0.02)  # poll, because `flock` has no time limit
        yield
    finally:
        os.close(directory)


def _is_locked(directory: int) -> bool:
    """Whether the lock is ours now, or not supported there."""
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return True
    return True


def _put(home: Home, settings: dict[str, Any], path: KeyPath, value: Any) -> None:
    table: Any = settings
    for depth, part in enumerate(path[:-1]):
        if part not in table:
            real = not isinstance(settings, tomlkit.TOMLDocument)
            table[part] = {} if real or isinstance(table, InlineTable) else tomlkit.table(is_super_table=True)
        table = table[part]
        if not isinstance(table, dict):
            raise ConfigError(f"{dotted(path[: depth + 1])} in {home.config_file} is not a table")
    if isinstance(value, dict) and isinstance(settings, tomlkit.TOMLDocument):
        item = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
        item.update(value)
        value = item
    table[path[-1]] = value


def _take(home: Home, settings: dict[str, Any], path: KeyPath) -> None:
    tables: list[Any] = [settings]
    for part in path[:-1]:
        tables.append(tables[-1].get(part) if isinstance(tables[-1], dict) else None)
    if not isinstance(tables[-1], dict) or path[-1] not in tables[-1]:
        raise ConfigError(f"{dotted(path)} is not set in {home.config_file}")
    del tables[-1][path[-1]]
    for table, part in reversed([*zip(tables[:-1], path[:-1], strict=True)]):
        if not table[part]:
            del table[part]


def _read(home: Home) -> tomlkit.TOMLDocument:
    """Return the current settings. Until the home has a file, these are the fallback's, so a change keeps them."""
    path = home.config_file
    text = read_text(path)
    parse(text, path)  # raises the same errors as every other command
    try:
        return tomlkit.parse(text)
    except (ValueError, TOMLKitError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _write(home: Home, document: tomlkit.TOMLDocument, before: str, wanted: dict[str, Any]) -> Path:
    """Write `document` if it contains exactly what is `wanted` and no new mistakes.

    Editing dotted keys can move the keys after them into another table.
    """
    path = home.path / "config.toml"
    text = tomlkit.dumps(document)
    if tomllib.loads(text) != wanted:
        raise ConfigError(
            f"{home.config_file} cannot be edited without changing other settings: write its tables with headers, [TABLE.NAME]"
        )
    new = [mistake for mistake in _mistakes(text) if mistake not in _mistakes(before)]
    if new:
        raise ConfigError(new[0])
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, text.encode(), new_mode=0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    return path


def _mistakes(text: str) -> list[str]:
    """The mistakes in the settings in `text`: an edit may keep old ones but must not add any."""
    table = canonical(tomllib.loads(text), ConfigFile)
    mistakes = [str(mistake) for mistake in mistakes_in(table)]
    return mistakes or [
        f"{dotted(('model_providers', name, 'base_url'))} {problem}"
        for name, provider in ConfigFile.model_validate(table).model_providers.items()
        if provider.base_url and (problem := url_problem(provider.base_url)) is not None
    ]
