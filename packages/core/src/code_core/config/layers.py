"""Settings in layers: their precedence, and the origin of each value.

Tables are merged key by key; any other value in a stronger layer replaces that of a weaker one.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from code_core.config.toml_source import KeyPath, line_of
from code_core.frozen import frozen


class LayerKind(StrEnum):
    """The kinds of layers, weakest first; the defaults are below all of them."""

    ENVIRONMENT = "environment"
    SYSTEM = "system"
    USER = "user"
    DIRECTORY = "directory"
    PROFILE = "profile"
    PROJECT = "project"
    SETTING = "-c"
    OPTION = "option"
    CLIENT = "client"
    REPLAY = "replay"


@frozen
class Layer:
    """Settings from one source.

    Attributes:
        name: the source, for messages: a file or an option.
        table: the settings.
        text: the text of the file, for finding line numbers.
        inside: the path of `table` within the file.
    """

    kind: LayerKind
    name: str
    table: Mapping[str, Any]
    text: str = ""
    inside: KeyPath = ()

    def locate(self, path: KeyPath) -> str:
        """Return the name, with the line of the value at `path` if known."""
        line = line_of(self.text, (*self.inside, *path))
        return self.name if line is None else f"{self.name}:{line}"


@frozen
class Found:
    """A value and the layer that sets it."""

    layer: Layer
    value: Any


def merged(layers: Sequence[Layer]) -> dict[str, Any]:
    """Merge all layers; later ones take precedence."""
    table: dict[str, Any] = {}
    for layer in layers:
        table = _overlaid(table, layer.table)
    return table


def values_at(layers: Sequence[Layer], path: KeyPath) -> Iterator[Found]:
    """Yield every value set at `path`, the effective one first.

    A value is omitted if a stronger layer replaces a table around it.
    """
    for layer in reversed(layers):
        depth, value = _reach(layer.table, path)
        if depth == len(path):
            yield Found(layer, value)
        elif not isinstance(value, Mapping):
            return


def deciding(layers: Sequence[Layer], path: KeyPath) -> Layer | None:
    """Return the layer that sets the value at `path`, or the strongest one that sets a table around it."""
    for length in range(len(path), 0, -1):
        if found := next(values_at(layers, path[:length]), None):
            return found.layer
    return None


def located(layers: Sequence[Layer], path: KeyPath) -> str:
    """Return the source of the value at `path`, for a message."""
    layer = deciding(layers, path)
    return "the settings" if layer is None else layer.locate(path)


def nested(path: KeyPath, value: Any) -> dict[str, Any]:
    """Return nested tables that contain only `value` at `path`."""
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
    """The number of parts of `path` that exist in `value`, and the value there."""
    for depth, part in enumerate(path):
        match value:
            case Mapping() if part in value:
                value = value[part]
            case list() if isinstance(part, int) and part < len(value):
                value = value[part]
            case _:
                return depth, value
    return len(path), value
