"""The base class of all tables in the settings file."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from code_core.protocol.model import ProtocolModel


def _spelled(value: Any) -> Any:
    """Convert a number or a boolean to its TOML spelling, because users often omit the quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Value = Annotated[str, BeforeValidator(_spelled)]
"""The value of a variable, a header or a parameter."""


class SettingsTable(ProtocolModel):
    """A table of the settings file. Field descriptions are the source of the reference page and the JSON Schema."""

    left_alone: ClassVar[frozenset[str]] = frozenset()
    """Keys that are accepted without effect, because other programs read the same file."""
