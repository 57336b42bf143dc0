"""Changes of files as values, with the text before and after."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Added:
    """A new file, or the new text of one that is replaced (its old text is in `overwritten`)."""

    path: Path
    new: str
    overwritten: str | None = None


@dataclass(frozen=True, slots=True)
class Deleted:
    """A file that goes, and its last text."""

    path: Path
    old: str


@dataclass(frozen=True, slots=True)
class Updated:
    """A file that changes, moves, or both; a file at the target is replaced (its text is in `overwritten`)."""

    path: Path
    old: str
    new: str
    move_to: Path | None = None
    overwritten: str | None = None


FileEdit = Added | Deleted | Updated
