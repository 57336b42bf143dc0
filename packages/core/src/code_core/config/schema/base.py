"""What all tables of the settings file have in common."""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from code_core.protocol.model import ProtocolModel


def _spelled(value: Any) -> Any:
    """A number or a truth value as TOML spells it; a text is often written without its quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


Value = Annotated[str, BeforeValidator(_spelled)]
"""The value of a variable, a header or a parameter."""


class SettingsTable(ProtocolModel):
    """A table of the settings file. The descriptions of its fields make the reference page and the JSON Schema."""

    left_alone: ClassVar[frozenset[str]] = frozenset()
    """Keys that are accepted without effect: other programs read the file too."""
