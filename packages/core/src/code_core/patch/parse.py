"""Parses the patch format.

    *** Begin Patch
    *** Add File: PATH          then lines that begin with +
    *** Delete File: PATH
    *** Update File: PATH       then, if it moves, *** Move to: PATH, then chunks:
    @@ CONTEXT                  optional before the first chunk; lines that begin
                                with a space, - or +; at last *** End of File
    *** End Patch

Unambiguous mistakes that models make are tolerated: indented markers, a missing space before
context lines, a missing + before empty lines of an added file, an end marker that is not on its
own line, and line numbers after `@@`. Nothing tolerated has another meaning in a well-formed
patch.
"""

from code_core.lazy_pattern import lazy_pattern
from code_core.patch.envelope import patch_lines
from code_core.patch.errors import PatchSyntaxError, excerpt
from code_core.patch.model import AddFile, Chunk, DeleteFile, Hunk, Patch, UpdateFile

ADD = "*** Add File:"
DELETE = "*** Delete File:"
UPDATE = "*** Update File:"
MOVE = "*** Move to:"
END_OF_FILE = "*** End of File"
ENVIRONMENT = "*** Environment ID:"
MAX_PATH_CHARS = 4_096

_HEADERS = (ADD, DELETE, UPDATE)
_CHUNK_ENDS = ("@@", *_HEADERS)
_SIGNS = (" ", "-", "+")
_LINE_NUMBERS = lazy_pattern(r"@@ -\d{1,9}(?:,\d{1,9})? \+\d{1,9}(?:,\d{1,9})?(?: @@.*)?")
_KINDS = f"'{ADD} PATH', '{DELETE} PATH' and '{UPDATE} PATH'"


def parse_patch(text: str) -> Patch:
    """Parse the patch in `text`, of at most 16 Mi characters.

    Raises:
        PatchSyntaxError: it is not a patch; says what is wrong, and on which line of the patch.
    """
    hunks = _Parser(patch_lines(text)).hunks()
    if not hunks:
        raise PatchSyntaxError("No files were modified. The patch has no hunks: it needs one of " + _KINDS)
    return Patch(tuple(hunks))


class _Parser:
    """Reads lines from first to last; `_at` is the index of the next one."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0
        # Markers that are all indented alike are markers; otherwise, a leading space makes a line context.
        first = next((line for line in lines if line.strip()), "")
        self._indent = first[: len(first) - len(first.lstrip())]

    def hunks(self) -> list[Hunk]:
        hunks: list[Hunk] = []
        while self._more():
            header = self._lines[self._at].strip()
            if header.startswith(ADD):
                hunks.append(self._add())
            elif header.startswith(DELETE):
                hunks.append(DeleteFile(self._path(DELETE)))
            elif header.startswith(UPDATE):
                hunks.append(self._update())
            elif not header or (header.startswith(ENVIRONMENT) and not hunks):
                self._at += 1
            else:
                raise self._error(f"{header!r} is not a file header; valid ones are {_KINDS}")
        return hunks

    def _add(self) -> AddFile:
        path = self._path(ADD)
        content: list[str] = []
        empty = 0
        while self._more():
            line = self._lines[self._at]
            if line.startswith("+"):
                content += ["\n"] * empty
                content.append(f"{line[1:]}\n")
                empty = 0
            elif not line.strip():
                empty += 1  # part of the file only if more of it follows
            elif line.strip().startswith(_HEADERS):
                break
            else:
                raise self._error(f"every line of an added file must begin with +, and {line!r} does not")
            self._at += 1
        return AddFile(path, "".join(content))

    def _update(self) -> UpdateFile:
        header = self._at
        path = self._path(UPDATE)
        move_to = self._path(MOVE) if self._more() and self._marker().startswith(MOVE) else None
        chunks: list[Chunk] = []
        while self._more() and not self._marker().startswith(_HEADERS):
            line = self._lines[self._at]
            if not line or (chunks and not line.strip()):
                self._at += 1
            else:
                chunks.append(self._chunk(first=not chunks))
        if not chunks and move_to is None:
            raise self._error(f"the update of {path!r} has no lines to change", header)
        return UpdateFile(path, move_to, tuple(chunks))

    def _chunk(self, *, first: bool) -> Chunk:
        start = self._at
        context: list[str] = []
        while self._more() and self._marker().startswith("@@"):
            if found := _context(self._marker()):
                context.append(found)
            self._at += 1
        if self._at == start and not first:
            raise self._error(f"a chunk must begin with @@, and {self._lines[start]!r} does not")
        lines: list[str] = []
        end_of_file = False
        while self._more() and not end_of_file:
            line = self._lines[self._at]
            marker = line.removeprefix(self._indent)
            if marker.startswith(_CHUNK_ENDS):
                break
            if marker.rstrip() == END_OF_FILE:
                end_of_file = True
            elif marker.startswith("*** "):
                raise self._error(
                    f"{line!r} is not a known marker; a line of the file needs a space, - or + before it"
                )
            else:
                # A context line may have lost its space; an empty one always has.
                lines.append(line if line.startswith(_SIGNS) else f" {line}")
            self._at += 1
        if not lines:
            raise self._error("a chunk has no lines", start)
        return Chunk(tuple(context), tuple(lines), end_of_file)

    def _more(self) -> bool:
        return self._at < len(self._lines)

    def _marker(self) -> str:
        """The next line, as it reads if it is a marker."""
        return self._lines[self._at].removeprefix(self._indent)

    def _path(self, marker: str) -> str:
        path = self._lines[self._at].strip().removeprefix(marker).strip()
        if not path:
            raise self._error(f"'{marker}' has no path")
        if len(path) > MAX_PATH_CHARS:
            raise self._error(f"a path has {len(path):,} characters; the limit is {MAX_PATH_CHARS:,}")
        if "\0" in path:
            raise self._error(f"the path {path!r} contains a NUL character")
        self._at += 1
        return path

    def _error(self, problem: str, at: int | None = None) -> PatchSyntaxError:
        number = (self._at if at is None else at) + 2  # the begin marker is line 1
        return PatchSyntaxError(f"Invalid patch hunk on line {number}: {excerpt(problem)}")


def _context(line: str) -> str:
    """The context of an `@@` line; the section name after the line numbers of a unified diff is not reliable."""
    return "" if _LINE_NUMBERS.fullmatch(line.rstrip()) else line[2:].removeprefix(" ").rstrip()
