"""The settings file of a project, and whether its user trusts it.

Whoever writes a repository writes this file. It counts only as long as it is, byte for byte, what the user
was shown and trusted; the decision is in the user's own settings, where no project can write it. What decides
where a key goes, who approves, and what is kept of sessions is never taken from a project.
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
"""Bytes; nobody reads a longer file before trusting it."""
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
    """What the user has decided about a project's settings file."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    UNDECIDED = "undecided"
    CHANGED = "changed"


@frozen
class ProjectSettings:
    """A project's settings file as it is now.

    Attributes:
        root: the project's directory, links resolved.
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
        """What `trusted_settings` is when this text is trusted."""
        import hashlib

        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def warning(self) -> str | None:
        """Why it does not count, in a line; None if it does, or if the user does not want it."""
        match self.trust:
            case Trust.UNDECIDED:
                why = "are not used until you trust them"
            case Trust.CHANGED:
                why = "have changed since you trusted them, and are not used"
            case _:
                return None
        return f"the project's settings in {self.path} {why}: code config trust shows them and asks"


def read_project_settings(
    project: Checkout, own_file: Path, layers: tuple[Layer, ...]
) -> ProjectSettings | None:
    """The settings file of `project`; None if it does not exist, or if it belongs to the user's home.

    Args:
        project: whose files are read.
        own_file: the user's settings file.
        layers: the user's settings, with the decision about the project.

    Raises:
        DistrustedFileError: it exists but must not be read; the text says why.
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
    """The user's `[projects."…"]` table of the first of `directories` that has one, and where it is.

    A path may be spelled in any way that leads to the directory.
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
        case "trusted", None:  # the directory is trusted; nobody has looked at the file
            return Trust.UNDECIDED
        case "trusted", trusted:
            return Trust.TRUSTED if trusted == digest else Trust.CHANGED
        case _:
            return Trust.UNDECIDED


def project_layer(settings: ProjectSettings, table: Mapping[str, Any]) -> tuple[Layer, list[str]]:
    """The layer of a trusted file, and warnings about what is not taken from a project."""
    layer = Layer(LayerKind.PROJECT, str(settings.path), table, settings.text)
    refused = sorted(NOT_OF_A_PROJECT & table.keys())
    kept = {key: value for key, value in table.items() if key not in NOT_OF_A_PROJECT}
    warnings = [
        f"{layer.locate((key,))}: {key} has no effect in the settings of a project" for key in refused
    ]
    return Layer(LayerKind.PROJECT, layer.name, kept, settings.text), warnings
