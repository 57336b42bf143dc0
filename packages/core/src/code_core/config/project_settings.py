"""A project's settings file, and whether the user trusts it.

Whoever writes a repository writes this file. It applies only while it is byte for byte what the user
was shown and trusted; that decision is stored in the user's own settings, which no project can write.
Settings that decide where keys go, who approves, and what is kept of sessions are never taken from a project.
"""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from code_core.config.layers import Layer, LayerKind, values_at
from code_core.config.paths import expand_home
from code_core.config.toml_source import KeyPath
from code_core.files.checkout import Checkout, DistrustedFileError, within_seconds
from code_core.frozen import frozen

NAME = Path(".code", "config.toml")
LARGEST = 64 * 1024
"""Limit in bytes: nobody would read a longer file before trusting it."""
NOT_OF_A_PROJECT = frozenset(
    {
        "acp",
        "checkpoints",
        "experimental_client_tools",
        "history",
        "key_isolation",
        "model_provider",
        "model_providers",
        "models",
        "outputs",
        "profile",
        "profiles",
        "projects",
        "replay_scenario",
        "sessions",
    }
)


class Trust(StrEnum):
    """The user's decision about a project's settings file."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNDECIDED = "undecided"
    CHANGED = "changed"


@frozen
class ProjectSettings:
    """The current contents of a project's settings file.

    Attributes:
        root: the project's directory, with links resolved.
        trust: `CHANGED` if it was trusted with other contents.
    """

    root: Path
    text: str
    trust: Trust

    @property
    def path(self) -> Path:
        """The file."""
        return self.root / NAME

    @property
    def digest(self) -> str:
        """The value of `trusted_settings` for this text."""
        import hashlib

        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def warning(self) -> str | None:
        """Why the file does not apply, in one line, or None if it does or the user rejected it."""
        match self.trust:
            case Trust.UNDECIDED:
                why = "are not used until you trust them"
            case Trust.CHANGED:
                why = "have changed since you trusted them and are not used"
            case _:
                return None
        return f"the project's settings in {self.path} {why}: run code config trust to review them"


def read_project_settings(
    project: Checkout, own_file: Path, layers: tuple[Layer, ...]
) -> ProjectSettings | None:
    """Read the settings file of `project`; None if it does not exist or belongs to the user's home directory.

    Args:
        project: the checkout to read from.
        own_file: the user's settings file.
        layers: the user's settings, with the decision about the project.

    Raises:
        DistrustedFileError: it exists but must not be read; says why.
    """
    path = project.root / NAME
    own = {os.path.realpath(own_file), os.path.realpath(expand_home("~") / NAME)}
    if not os.path.lexists(path) or os.path.realpath(path) in own:
        return None
    data = within_seconds(str(path), lambda: project.read(path, LARGEST + 1))
    if data is None:
        return None
    if len(data) > LARGEST:
        raise DistrustedFileError(f"{path} is not read: it is larger than {LARGEST // 1024} KiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DistrustedFileError(f"{path} is not read: byte {error.start} is not UTF-8") from error
    root = Path(os.path.realpath(project.root))
    undecided = ProjectSettings(root, text, Trust.UNDECIDED)
    return ProjectSettings(root, text, _trust(directory_table(layers, [root])[1], undecided.digest))


def directory_table(layers: tuple[Layer, ...], directories: list[Path]) -> tuple[KeyPath, Mapping[str, Any]]:
    """Return the user's `[projects."…"]` table for the first of `directories` that has one, and its path.

    A directory may be spelled in any way that resolves to it.
    """
    tables = {
        os.path.realpath(expand_home(str(name))): (("projects", str(name)), table)
        for found in values_at(layers, ("projects",))
        if isinstance(found.value, Mapping)
        for name, table in found.value.items()
        if isinstance(table, Mapping)
    }
    for directory in directories:
        if os.path.realpath(directory) in tables:
            return tables[os.path.realpath(directory)]
    return (), {}


def _trust(table: Mapping[str, Any], digest: str) -> Trust:
    match table.get("trust_level"), table.get("trusted_settings"):
        case "untrusted", _:
            return Trust.UNTRUSTED
        case "trusted", None:  # the directory is trusted, but the file was never reviewed
            return Trust.UNDECIDED
        case "trusted", trusted:
            return Trust.TRUSTED if trusted == digest else Trust.CHANGED
        case _:
            return Trust.UNDECIDED


def project_layer(settings: ProjectSettings, table: Mapping[str, Any]) -> tuple[Layer, list[str]]:
    """Return the layer of a trusted file, and warnings about keys that a project cannot set."""
    layer = Layer(LayerKind.PROJECT, str(settings.path), table, settings.text)
    refused = sorted(NOT_OF_A_PROJECT & table.keys())
    kept = {key: value for key, value in table.items() if key not in NOT_OF_A_PROJECT}
    warnings = [
        f"{layer.locate((key,))}: {key} has no effect in the settings of a project" for key in refused
    ]
    return Layer(LayerKind.PROJECT, layer.name, kept, settings.text), warnings
