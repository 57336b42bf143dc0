"""The base of every value that crosses a process boundary."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, model_serializer

from code_core.protocol.deferred import DeferredModelType
from code_core.protocol.text import Text


class ProtocolModel(BaseModel, metaclass=DeferredModelType):
    """Immutable, ignores unknown fields, and is built on first use.

    A peer may be newer than we are, so unknown fields are ignored. Building is deferred, because a
    process uses only a few of the models it imports.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class UnknownModel(ProtocolModel):
    """A value of an unknown type with all its fields, including nulls."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    type: Text

    @model_serializer
    def raw(self) -> dict[str, Any]:
        """The original object."""
        return {"type": self.type, **(self.model_extra or {})}


def tag_of(value: Any) -> Any:
    """Return the `type` of a model or a decoded object, or None."""
    return value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
