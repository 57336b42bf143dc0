"""API keys that `code login` saved: a file for each variable that a provider's `env_key` names.

A file holds the key and nothing else, and only its owner can read it; commands in a sandbox do not see it.
"""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from code_core.config.paths import KEYS, find_home
from code_core.errors import ConfigError
from code_core.frozen import frozen
from code_core.model.providers import LONGEST_KEY, Provider, check_key

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@frozen
class SavedKeys:
    """The keys saved in one home directory.

    Attributes:
        home: the agent's own directory.
    """

    home: Path

    @property
    def directory(self) -> Path:
        """Where the files are; it need not exist."""
        return self.home / KEYS

    def file_of(self, provider: Provider) -> Path:
        """The file for the provider's key; it need not exist.

        Raises:
            ConfigError: the provider needs no key, or names a variable that no environment can have.
        """
        if provider.env_key is None:
            raise ConfigError(f"the provider {provider.id!r} needs no API key")
        if (path := self._path(provider)) is None:
            raise ConfigError(
                f"provider {provider.id!r}: env_key {provider.env_key!r} is not the name of a variable"
            )
        return path

    def read(self, provider: Provider) -> bytes | None:
        """The provider's key; None if none is saved.

        Raises:
            ConfigError: the file cannot be read, or holds what a header cannot.
        """
        path = self._path(provider)
        if path is None:
            return None
        try:
            with path.open("rb") as file:
                key = file.read(LONGEST_KEY + 1).strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"the saved key {path} cannot be read: {error.strerror}") from error
        check_key(key, f"the saved key {path}")
        return key

    def save(self, provider: Provider, key: bytes) -> Path:
        """Save the provider's key for its user alone; the file. A key that was saved before is replaced.

        Raises:
            ConfigError: the provider needs no key, this is not a key, or it cannot be written.
        """
        path = self.file_of(provider)
        check_key(key, "the key")
        new = path.with_name(f".{path.name}.{token_hex(4)}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.chmod(0o700)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(key)
                new.replace(path)
            except BaseException:
                with suppress(OSError):
                    new.unlink()
                raise
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        return path

    def remove(self, provider: Provider) -> bool:
        """Delete the provider's key; whether one was saved.

        Raises:
            ConfigError: it cannot be deleted.
        """
        path = self._path(provider)
        if path is None:
            return False
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"{path} cannot be deleted: {error.strerror}") from error
        return True

    def _path(self, provider: Provider) -> Path | None:
        """Its file; None for a provider without a key, or with a variable that no environment has."""
        variable = provider.env_key
        return None if variable is None or not _VARIABLE.fullmatch(variable) else self.directory / variable


def saved_keys(environ: Mapping[str, str] = os.environ) -> SavedKeys:
    """The keys saved in the home directory that the environment names.

    Raises:
        ConfigError: it names none, or what is not a directory.
    """
    return SavedKeys(find_home(environ).path)


def where_the_key_is(provider: Provider, saved: SavedKeys) -> str | None:
    """Where the provider's key comes from, as a phrase; None if it is missing. The environment goes first.

    Raises:
        ConfigError: what is there cannot be read, or cannot be a key.
    """
    if provider.env_key is None or provider.replay_scenario is not None:
        return f"{provider.id} needs none"
    if os.environ.get(provider.env_key, "").strip():
        provider.api_key(os.environb)
        return f"in {provider.env_key}"
    return None if saved.read(provider) is None else f"saved in {saved.directory}"
