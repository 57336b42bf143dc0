"""The home directory for settings, outputs and sessions, which are never kept in the user's repository."""

import os
from collections.abc import Mapping
from pathlib import Path

from code_core.errors import ConfigError
from code_core.frozen import frozen

KEYS, MCP_TOKENS = "keys", "mcp-tokens"
"""Where a home holds the API keys that were saved, and the tokens of MCP servers."""


@frozen
class Home:
    """Where files are written, and where Codex settings are read from if ours are absent."""

    path: Path
    fallback: Path | None = None

    @property
    def config_file(self) -> Path:
        """The settings file to read; it may not exist."""
        own = self.path / "config.toml"
        if self.fallback is not None and not own.exists():
            old = self.fallback / "config.toml"
            return old if old.exists() else own
        return own


def is_directory(path: Path) -> bool:
    """Whether `path` is a directory; unlike `Path.is_dir`, returns False for invalid names."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def expand_home(path: str | Path) -> Path:
    """Replace a leading `~` with the home directory, unless the user is unknown."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises for an unknown user


def find_home(environ: Mapping[str, str]) -> Home:
    """Return `CODE_HOME`, else `CODEX_HOME`, else `~/.code` with `~/.codex` as a fallback.

    Raises:
        ConfigError: a variable does not name a directory, or no home directory is known.
    """
    for variable in ("CODE_HOME", "CODEX_HOME"):
        if value := environ.get(variable):
            path = Path(value).absolute()
            if not is_directory(path):
                raise ConfigError(
                    f"{variable} is {value!r}, which is not a directory: create it or unset {variable}"
                )
            return Home(path)
    try:
        user_home = Path.home()
    except RuntimeError as error:
        raise ConfigError("there is no home directory: set CODE_HOME to a directory for settings") from error
    return Home(user_home / ".code", fallback=user_home / ".codex")
