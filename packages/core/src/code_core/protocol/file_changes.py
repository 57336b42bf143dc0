"""File changes in events."""

from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import FilePath, Text


class AddBody(ProtocolModel):
    """The new file's text."""

    content: Text


class DeleteBody(ProtocolModel):
    """The deleted file's last text or, for a symbolic link, where it points (`link`)."""

    content: Text
    link: Text | None = None


class UpdateBody(ProtocolModel):
    """The change as a unified diff, and its other effects.

    `move_path` is the new path of a file that moves, and `overwritten` the text of the file that it replaces
    there. `modes` are the permissions before and after in git's form, if git sees a difference. `link` says
    where the path points if it is a symbolic link: then the link is removed, and `move_path` becomes a copy of
    the file.
    """

    unified_diff: Text
    move_path: FilePath | None = None
    overwritten: Text | None = None
    modes: tuple[Text, Text] | None = None
    link: Text | None = None


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
