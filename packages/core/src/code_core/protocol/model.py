"""The base of every value that crosses a process boundary."""

from pydantic import BaseModel, ConfigDict


class ProtocolModel(BaseModel):
    """Immutable, tolerant of fields it does not know, and built on first use.

    A peer may be newer than we are, so unknown fields are ignored. Building is
    deferred because a process uses few of the models it imports.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)
