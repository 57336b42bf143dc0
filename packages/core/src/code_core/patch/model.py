"""The parsed form of a patch."""

from code_core.frozen import frozen


@frozen
class Chunk:
    """One change within a file.

    Attributes:
        context: lines to find before the chunk's own, outermost first (`@@ class A`, `@@ def f`).
        lines: the lines as in the patch, each prefixed with a space (stays), `-` (removed) or `+` (added).
        end_of_file: whether the old lines are the last ones of the file.
    """

    context: tuple[str, ...]
    lines: tuple[str, ...]
    end_of_file: bool = False

    @property
    def old_lines(self) -> tuple[str, ...]:
        """The lines to find in the file; empty for a pure insertion."""
        return tuple(line[1:] for line in self.lines if line[0] != "+")

    @property
    def new_lines(self) -> tuple[str, ...]:
        """The lines that replace them."""
        return tuple(line[1:] for line in self.lines if line[0] != "-")


@frozen
class AddFile:
    """Create or replace a file; every line of `content` ends with a newline."""

    path: str
    content: str


@frozen
class DeleteFile:
    """Delete a file."""

    path: str


@frozen
class UpdateFile:
    """Change a file, move it, or both."""

    path: str
    move_to: str | None
    chunks: tuple[Chunk, ...]


Hunk = AddFile | DeleteFile | UpdateFile


@frozen
class Patch:
    """Hunks in the order in which they apply."""

    hunks: tuple[Hunk, ...]
