"""API keys saved by `code login`, in a file for each variable that a provider's `env_key` names.

A file contains only the key and is readable only by its owner; commands in a sandbox cannot see it.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from code_core.config.paths import KEYS, find_home
from code_core.errors import ConfigError
from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.model.providers import LONGEST_KEY, Provider, check_key

_VARIABLE = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]{0,199}")


@frozen
class SavedKeys:
    """The keys saved in one home directory.

    Attributes:
        home: the agent's home directory.
    """

    home: Path

    @property
    def directory(self) -> Path:
        """The directory of the files; it may not exist."""
        return self.home / KEYS

    def file_of(self, provider: Provider) -> Path:
        """Return the file for the provider's key; it may not exist.

        Raises:
            ConfigError: the provider needs no key, or its variable has an invalid name.
        """
        if provider.env_key is None:
            raise ConfigError(f"the provider {provider.id!r} needs no API key")
        if (path := self._path(provider)) is None:
            raise ConfigError(
                f"provider {provider.id!r}: env_key {provider.env_key!r} is not the name of a variable"
            )
        return path

    def read(self, provider: Provider) -> bytes | None:
        """Return the provider's key, or None if none is saved.

        Raises:
            ConfigError: the file cannot be read, or its contents are not valid in a header.
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
        """Save the provider's key for its user alone, replacing an earlier one, and return the file.

        Raises:
            ConfigError: the provider needs no key, the key is invalid, or the file cannot be written.
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
        """Delete the provider's key, and return whether one was saved.

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
        """The key's file; None for a provider without a key, or with an invalid variable name."""
        variable = provider.env_key
        return None if variable is None or not _VARIABLE.fullmatch(variable) else self.directory / variable


def saved_keys(environ: Mapping[str, str] = os.environ) -> SavedKeys:
    """Return the keys saved in the home directory that the environment selects.

    Raises:
        ConfigError: no home directory is known, or it is not a directory.
    """
    return SavedKeys(find_home(environ).path)


def where_the_key_is(provider: Provider, saved: SavedKeys) -> str | None:
    """Return where the provider's key comes from, as a phrase, or None if it is missing; the environment takes precedence.

    Raises:
        ConfigError: the key cannot be read or is invalid.
    """
    if provider.env_key is None or provider.replay_scenario is not None:
        return f"{provider.id} needs no key"
    if os.environ.get(provider.env_key, "").strip():
        provider.api_key(os.environb)
        return f"in {provider.env_key}"
    return None if saved.read(provider) is None else f"saved in {saved.directory}"
