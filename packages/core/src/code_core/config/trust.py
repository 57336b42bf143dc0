"""Stores the user's decision about a project's settings."""

from pathlib import Path

from code_core.config.edit import set_values
from code_core.config.paths import Home
from code_core.config.project_settings import ProjectSettings, Trust
from code_core.config.toml_source import KeyPath


def remember(home: Home, settings: ProjectSettings, *, trusted: bool) -> Path:
    """Write the decision about `settings`, as they were read, to the user's settings file and return that file.

    Raises:
        ConfigError: the file cannot be written.
    """
    table = ("projects", str(settings.root))
    decision: dict[KeyPath, str] = {
        (*table, "trust_level"): (Trust.TRUSTED if trusted else Trust.UNTRUSTED).value
    }
    if trusted:
        decision[(*table, "trusted_settings")] = settings.digest
    return set_values(home, decision)
