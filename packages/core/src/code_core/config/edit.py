"""Edits of the settings file by the program: everything else in it stays, comments included."""

import os
import tomllib
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from code_core.config.paths import Home
from code_core.errors import ConfigError
from code_core.files.replace import replace_file

SERVERS = "mcp_servers"


def add_server(home: Home, name: str, table: dict[str, Any]) -> Path:
    """Put `[mcp_servers.NAME]` into the settings file, or in the place of an older one; the file.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    document = _read(home)
    wanted = document.unwrap()
    _servers(home, wanted)[name] = table
    servers = document.setdefault(SERVERS, tomlkit.table(is_super_table=True))
    server = tomlkit.inline_table() if isinstance(servers, InlineTable) else tomlkit.table()
    server.update(table)
    servers[name] = server
    return _write(home, document, wanted)


def remove_server(home: Home, name: str) -> Path:
    """Take `[mcp_servers.NAME]` out of the settings file; the file.

    Raises:
        ConfigError: the server is unknown, or the file cannot be read or written.
    """
    document = _read(home)
    wanted = document.unwrap()
    if name not in _servers(home, wanted):
        raise ConfigError(f"no MCP server is called {name!r} in {home.config_file}")
    for settings in (document, wanted):
        del settings[SERVERS][name]
        if not settings[SERVERS]:
            del settings[SERVERS]
    return _write(home, document, wanted)


def _servers(home: Home, settings: dict[str, Any]) -> dict[str, Any]:
    servers = settings.setdefault(SERVERS, {})
    if not isinstance(servers, dict):
        raise ConfigError(f"{SERVERS} in {home.config_file} is not a table")
    return servers


def _read(home: Home) -> tomlkit.TOMLDocument:
    """The settings as they are; those of the fallback where there are no own ones, so that none are lost."""
    path = home.config_file
    try:
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except (OSError, ValueError, TOMLKitError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def _write(home: Home, document: tomlkit.TOMLDocument, wanted: dict[str, Any]) -> Path:
    """Write `document` if it says what is `wanted`, and nothing else.

    An edit of dotted keys can put the keys after them into another table.
    """
    path = home.path / "config.toml"
    text = tomlkit.dumps(document)
    if tomllib.loads(text) != wanted:
        raise ConfigError(
            f"{home.config_file} cannot be edited without changing other settings: "
            f"write its servers as tables, [{SERVERS}.NAME]"
        )
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(target, text.encode(), new_mode=0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    return path
