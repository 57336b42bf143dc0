"""Settings in layers: the one rule of what wins, and where a value comes from.

Tables are merged key by key; any other value of a stronger layer replaces that of a weaker one, whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from code_core.config.toml_source import KeyPath, line_of
from code_core.frozen import frozen


class LayerKind(StrEnum):
    """Where settings come from, the weakest first; below all of them are the defaults."""

    SYSTEM = "system"
    USER = "user"
    DIRECTORY = "directory"
    PROFILE = "profile"
    PROJECT = "project"
    SETTING = "-c"
    OPTION = "option"
    CLIENT = "client"


@frozen
class Layer:
    """Settings that come from one place.

    Attributes:
        name: the place, for messages: a file, an option.
        table: what it sets.
        text: what the file holds, to find lines in.
        inside: the table of the file that `table` is.
    """

    kind: LayerKind
    name: str
    table: Mapping[str, Any]
    text: str = ""
    inside: KeyPath = ()

    def locate(self, path: KeyPath) -> str:
        """The name, with the line of the value at `path` if it has one."""
        line = line_of(self.text, (*self.inside, *path))
        return self.name if line is None else f"{self.name}:{line}"


@frozen
class Found:
    """A value, and the layer that sets it."""

    layer: Layer
    value: Any


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """What all layers together say; the last one wins."""
    table: dict[str, Any] = {}
    for layer in layers:
        table = _overlaid(table, layer.table)
    return table


def values_at(layers: Sequence[Layer], path: KeyPath) -> Iterator[Found]:
    """Every value that is set at `path`, the one that counts first.

    A value at `path` does not count, and is left out, if a stronger layer replaces a table around it.
    """
    for layer in reversed(layers):
        depth, value = _reach(layer.table, path)
        if depth == len(path):
            yield Found(layer, value)
        elif not isinstance(value, Mapping):
            return


def deciding(layers: Sequence[Layer], path: KeyPath) -> Layer | None:
    """The layer that the value at `path` comes from, or the strongest one that sets a table around it."""
    for length in range(len(path), 0, -1):
        if found := next(values_at(layers, path[:length]), None):
            return found.layer
    return None


def located(layers: Sequence[Layer], path: KeyPath) -> str:
    """Where the value at `path` comes from, for a message."""
    layer = deciding(layers, path)
    return "the settings" if layer is None else layer.locate(path)


def nested(path: KeyPath, value: Any) -> dict[str, Any]:
    """A table with nothing but `value` at `path`."""
    for part in reversed(path):
        value = {str(part): value}
    return dict(value)


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    table = dict(below)
    for key, value in above.items():
        under = table.get(key)
        table[key] = (
            _overlaid(under if isinstance(under, Mapping) else {}, value)
            if isinstance(value, Mapping)
            else value
        )
    return table


def _reach(value: Any, path: KeyPath) -> tuple[int, Any]:
    """How many parts of `path` exist in `value`, and the value they lead to."""
    for depth, part in enumerate(path):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                return depth, value
    return len(path), value
