"""Changes of files as values, with the file before and after."""

from dataclasses import dataclass
from pathlib import Path

from code_core.patch.filesystem import FileState


@dataclass(frozen=True, slots=True)
class Added:
    """A new file, or one that is replaced as a whole (`overwritten` is what it was)."""

    path: Path
    new: FileState
    overwritten: FileState | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file that is deleted, and what it was."""

    path: Path
    old: FileState


@dataclass(frozen=True, slots=True)
class Updated:
    """A file that changes, moves, or both.

    Attributes:
        move_to: where the file moves to.
        overwritten: the file that a move replaces.
        link: what `path` was when it was a link to the file with `old`; only a move removes the link.
    """

    path: Path
    old: FileState
    new: FileState
    move_to: Path | None = None
    overwritten: FileState | None = None
    link: FileState | None = None


FileEdit = Added | Deleted | Updated
