"""The home directory: settings, outputs and sessions live there, never in the user's repository."""

import os
from collections.abc import Mapping
from pathlib import Path

from code_core.errors import ConfigError
from code_core.frozen import frozen

KEYS, MCP_TOKENS = "keys", "mcp-tokens"
"""Where a home holds the API keys that were saved, and the tokens of MCP servers."""


@frozen
class Home:
    """Where files are written, and where settings of Codex are read when ours are absent."""

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
    """Whether there is a directory; False for a name that cannot be, too, where `Path.is_dir` raises."""
    return os.path.isdir(path)  # noqa: PTH112 - as above


def expand_home(path: str | Path) -> Path:
    """`path` with the home directory in place of a leading `~`; as it is if no such user is known."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises for an unknown user


def find_home(environ: Mapping[str, str]) -> Home:
    """`CODE_HOME`, else `CODEX_HOME`, else `~/.code` with `~/.codex` to fall back on.

    Raises:
        ConfigError: a variable names what is not a directory, or no home is known.
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
