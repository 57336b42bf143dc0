"""File changes in events."""

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import FilePath, Text


class AddBody(ProtocolModel):
    """The new file's text."""

    content: Text


class DeleteBody(ProtocolModel):
    """The deleted file's last text."""

    content: Text


class UpdateBody(ProtocolModel):
    """The change as a unified diff, the new path if the file moves, and the text of the file that it replaces there."""

    unified_diff: Text
    move_path: FilePath | None = None
    overwritten: Text | None = None


class AddChange(ProtocolModel):
    """A file that a patch creates or overwrites."""

    add: AddBody


class DeleteChange(ProtocolModel):
    """A file that a patch deletes."""

    delete: DeleteBody


class UpdateChange(ProtocolModel):
    """A file that a patch edits or moves."""

    update: UpdateBody


FileChange = AddChange | DeleteChange | UpdateChange
