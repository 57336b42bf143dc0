"""A patch as values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """One change inside a file.

    Attributes:
        context: lines to find before the chunk's own, outermost first (`@@ class A`, `@@ def f`).
        lines: the lines as a patch writes them: each begins with a space (stays), `-` (goes) or `+` (comes).
        end_of_file: the old lines are the file's last.
    """

    context: tuple[str, ...]
    lines: tuple[str, ...]
    end_of_file: bool = False

    @property
    def old_lines(self) -> tuple[str, ...]:
        """The lines to find in the file; none for a pure insertion."""
        return tuple(line[1:] for line in self.lines if line[0] != "+")

    @property
    def new_lines(self) -> tuple[str, ...]:
        """The lines to put in their place."""
        return tuple(line[1:] for line in self.lines if line[0] != "-")


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
