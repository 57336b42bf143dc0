"""The kinds of commands, for display only; no decision depends on them."""

from typing import Annotated, Literal

from pydantic import Field

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import Text


class ReadCommand(ProtocolModel):
    """Shows a file; `name` is the last component of its path."""

    type: Literal["read"] = "read"
    cmd: Text
    name: Text
    path: Text


class ListFilesCommand(ProtocolModel):
    """Lists files, in `path` if the command names one."""

    type: Literal["list_files"] = "list_files"
    cmd: Text
    path: Text | None = None


class SearchCommand(ProtocolModel):
    """Searches for `query`, in `path` if the command names one."""

    type: Literal["search"] = "search"
    cmd: Text
    query: Text | None = None
    path: Text | None = None


class UnknownCommand(ProtocolModel):
    """Does something other than reading, listing or searching."""

    type: Literal["unknown"] = "unknown"
    cmd: Text


ParsedCommand = Annotated[
    ReadCommand | ListFilesCommand | SearchCommand | UnknownCommand, Field(discriminator="type")
]
