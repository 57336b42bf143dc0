"""A patch as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """One change inside a file.

    Attributes:
        context: lines to find before `old_lines`, outermost first (`@@ class A`, `@@ def f`).
        old_lines: the lines to find, context included; empty for a pure insertion.
        new_lines: the lines to put in their place.
        end_of_file: the old lines are the file's last.
    """

    context: tuple[str, ...]
    old_lines: tuple[str, ...]
    new_lines: tuple[str, ...]
    end_of_file: bool = False


@dataclass(frozen=True, slots=True)
class AddFile:
    """Create a file, or replace one; every line of `content` ends with a newline."""

    path: str
    content: str


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """Delete a file."""

    path: str


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """Change a file, move it, or both."""

    path: str
    move_to: str | None
    chunks: tuple[Chunk, ...]


Hunk = AddFile | DeleteFile | UpdateFile


@dataclass(frozen=True, slots=True)
class Patch:
    """Hunks in the order in which they apply."""

    hunks: tuple[Hunk, ...]
