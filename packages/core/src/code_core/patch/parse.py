"""Parses the patch format.

    *** Begin Patch
    *** Add File: PATH          then lines that begin with +
    *** Delete File: PATH
    *** Update File: PATH       then, if it moves, *** Move to: PATH, then chunks:
    @@ CONTEXT                  optional before the first chunk; lines that begin
                                with a space, - or +; at last *** End of File
    *** End Patch

Mistakes that models make and that leave no doubt are forgiven: indented
markers, a missing space before context lines, an end marker without a line of
its own, line numbers after `@@`.
"""

import re
from dataclasses import dataclass, field

from code_core.patch.envelope import patch_lines
from code_core.patch.errors import PatchSyntaxError, excerpt
from code_core.patch.model import AddFile, Chunk, DeleteFile, Hunk, Patch, UpdateFile

ADD = "*** Add File:"
DELETE = "*** Delete File:"
UPDATE = "*** Update File:"
MOVE = "*** Move to:"
END_OF_FILE = "*** End of File"
ENVIRONMENT = "*** Environment ID:"

_HEADERS = (ADD, DELETE, UPDATE)
_LINE_NUMBERS = re.compile(r"@@ -\d{1,9}(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})? @@ ?")
_KINDS = "'*** Add File: PATH', '*** Delete File: PATH' and '*** Update File: PATH'"


def parse_patch(text: str) -> Patch:
    """The patch in `text`.

    Raises:
        PatchSyntaxError: it is not one; says what is wrong, and on which line of the patch.
    """
    hunks = _Parser(patch_lines(text)).hunks()
    if not hunks:
        raise PatchSyntaxError("No files were modified.")
    return Patch(tuple(hunks))


@dataclass(slots=True)
class _ChunkLines:
    """The lines of a chunk while they are read."""

    context: list[str] = field(default_factory=list)
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    end_of_file: bool = False

    @property
    def empty(self) -> bool:
        return not (self.old or self.new)

    def chunk(self) -> Chunk:
        return Chunk(tuple(self.context), tuple(self.old), tuple(self.new), self.end_of_file)


class _Parser:
    """Reads lines from the first to the last; `_at` is the index of the next one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        self._blank_until_header = _blank_until_header(lines)

    def hunks(self) -> list[Hunk]:
        hunks: list[Hunk] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            header = line.strip()
            if header.startswith(ADD):
                hunks.append(self._add(self._path(ADD)))
            elif header.startswith(DELETE):
                hunks.append(DeleteFile(self._path(DELETE)))
            elif header.startswith(UPDATE):
                hunks.append(self._update(self._path(UPDATE)))
            elif not header or (header.startswith(ENVIRONMENT) and not hunks):
                self._at += 1
            else:
                raise self._error(f"{line!r} is not a file header; valid ones are {_KINDS}")
        return hunks

    def _add(self, path: str) -> AddFile:
        content: list[str] = []
        while self._at < len(self._lines) and self._lines[self._at].startswith("+"):
            content.append(self._lines[self._at][1:] + "\n")
            self._at += 1
        if self._at < len(self._lines) and not self._at_header() and self._lines[self._at].strip():
            raise self._error(
                f"every line of an added file must begin with +, and {self._lines[self._at]!r} does not"
            )
        return AddFile(path, "".join(content))

    def _update(self, path: str) -> UpdateFile:
        start = self._at
        move_to = self._path(MOVE) if self._next().strip().startswith(MOVE) else None
        chunks: list[Chunk] = []
        while self._at < len(self._lines) and not self._at_header():
            if not self._next().strip() and self._blank_until_header[self._at]:
                break
            chunks.append(self._chunk(first=not chunks))
        if not chunks and move_to is None:
            raise self._error(f"the update of {path!r} changes nothing", start)
        return UpdateFile(path, move_to, tuple(chunks))

    def _chunk(self, *, first: bool) -> Chunk:
        start = self._at
        lines = _ChunkLines()
        while self._next().startswith("@@"):
            if context := _context(self._next()):
                lines.context.append(context)
            self._at += 1
        if self._at == start and not first:
            raise self._error(f"a chunk must begin with @@, and {self._next()!r} does not")
        while self._at < len(self._lines) and self._take_line(lines):
            pass
        if lines.empty:
            raise self._error("a chunk has no lines", start)
        return lines.chunk()

    def _take_line(self, lines: _ChunkLines) -> bool:
        """Read one line of a chunk; False where the chunk ends."""
        line = self._next()
        if line.rstrip() == END_OF_FILE:
            self._at += 1
            lines.end_of_file = True
            return False
        if line.startswith("@@") or self._at_header():
            return False
        match line[:1]:
            case "+":
                lines.new.append(line[1:])
            case "-":
                lines.old.append(line[1:])
            case " ":
                lines.old.append(line[1:])
                lines.new.append(line[1:])
            case "":
                if self._blank_until_header[self._at]:
                    return False
                lines.old.append("")
                lines.new.append("")
            case _:
                # A context line whose leading space was left out.
                lines.old.append(line)
                lines.new.append(line)
        self._at += 1
        return True

    def _next(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _at_header(self) -> bool:
        """Whether the next line is a file header; an indented one would be a context line."""
        return self._lines[self._at].startswith(_HEADERS)

    def _path(self, marker: str) -> str:
        path = self._lines[self._at].strip().removeprefix(marker).strip()
        if not path:
            raise self._error(f"{marker!r} has no path")
        if "\0" in path:
            raise self._error("a path has a NUL character")
        self._at += 1
        return path

    def _error(self, problem: str, at: int | None = None) -> PatchSyntaxError:
        number = (self._at if at is None else at) + 2
        return PatchSyntaxError(f"Invalid patch hunk on line {number}: {excerpt(problem)}")


def _context(line: str) -> str:
    """The context of an `@@` line; what a unified diff has there says nothing that can be relied on."""
    return "" if _LINE_NUMBERS.match(line) else line[2:].removeprefix(" ").rstrip()


def _blank_until_header(lines: list[str]) -> list[bool]:
    """For each line, whether only blank lines stand between it and the next header or the end."""
    result = [True] * len(lines)
    following = True
    for index in range(len(lines) - 1, -1, -1):
        line = lines[index].strip()
        result[index] = following = following if not line else line.startswith(_HEADERS)
    return result
