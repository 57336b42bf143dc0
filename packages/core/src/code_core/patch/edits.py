"""File changes as values, with each file before and after."""

from pathlib import Path

from code_core.frozen import frozen
from code_core.patch.filesystem import FileState


@frozen
class Added:
    """A new file, or one that is replaced as a whole (`overwritten` is its old state)."""

    path: Path
    new: FileState
    overwritten: FileState | None = None


@frozen
class Deleted:
    """A deleted file, with its old state."""

    path: Path
    old: FileState


@frozen
class Updated:
    """A file that is changed, moved, or both.

    Attributes:
        move_to: the new path, if the file moves.
        overwritten: the file that a move replaces.
        link: the state of `path` if it was a link to the file with `old`; only a move removes the link.
    """

    path: Path
    old: FileState
    new: FileState
    move_to: Path | None = None
    overwritten: FileState | None = None
    link: FileState | None = None


FileEdit = Added | Deleted | Updated
