"""Locates the chunks of an update and builds the new text.

A chunk's lines are searched for from the end of the previous one, in four passes from strict to
lenient, and the first match of the earliest pass wins: exact; without trailing white space;
without any surrounding white space; with typographic dashes, quotes and spaces replaced by
ASCII. The context before a chunk is found the same way, and finally as the beginning of a line.

Matches of a lenient pass mean that the patch is inexact: lines that stay keep the file's text,
and added lines are indented like them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from code_core.patch.encoding import PIECE
from code_core.patch.errors import PatchMatchError, excerpt
from code_core.patch.indentation import indentation_shift
from code_core.patch.lines import FileLines, Replacement, split_lines
from code_core.patch.model import Chunk
from code_core.patch.nearest import nearest_region

_TYPOGRAPHY = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    "\ufeff": "",
}
_FOLD = str.maketrans(_TYPOGRAPHY)


def _exact(line: str) -> str:
    return line


def _folded(line: str) -> str:
    return line.translate(_FOLD).strip()


PASSES: tuple[Callable[[str], str], ...] = (_exact, str.rstrip, str.strip, _folded)
_PASSES_THAT_KEEP_INDENTATION = 2
_FOLDING_PASS = 3
MAX_DIFFERENT_LINES = 1_000_000  # each needs a distinct character


def apply_chunks(original: bytes, chunks: Sequence[Chunk], path: str) -> bytes:
    """Return the file `original` with `chunks` applied; lines that stay keep their bytes, added ones use its encoding.

    Raises:
        PatchMatchError: a context or a chunk's lines are not in the file, which the message calls `path`, or they are
            more than a million different lines, or the file's encoding lacks one of their characters.
        NotTextError: the file is not text.
    """
    file = FileLines(original)
    patterns = [_Pattern.of(chunk) for chunk in chunks]
    wanted = {
        line
        for chunk, pattern in zip(chunks, patterns, strict=True)
        for line in (*chunk.context, *pattern.old)
    }
    if len(wanted) > MAX_DIFFERENT_LINES:
        raise PatchMatchError(
            f"The patch asks for {len(wanted):,} different lines of {path}; the limit is {MAX_DIFFERENT_LINES:,}. "
            "Split it into several patches."
        )
    search = _Search(file, wanted, path)
    replacements = [search.locate(chunk, pattern) for chunk, pattern in zip(chunks, patterns, strict=True)]
    # Lines added at the end may come before a change further up.
    replacements.sort(key=lambda replacement: replacement.start)
    if file.encoding.guessed and not search.confirmed_encoding:
        _check_ascii(replacements, path, file.encoding.codec)
    try:
        return file.replaced(replacements)
    except UnicodeEncodeError as error:
        characters = excerpt(error.object[error.start : error.end])
        raise PatchMatchError(
            f"{path} is {file.encoding.codec} text, which has no {characters!r}: write the new lines without it."
        ) from None


def _check_ascii(replacements: Iterable[Replacement], path: str, codec: str) -> None:
    """Reject non-ASCII text if the encoding is a guess, because it could be wrong for the file.

    Raises:
        PatchMatchError: a new line contains such a character.
    """
    for replacement in replacements:
        for line in replacement.lines:
            if isinstance(line, str) and not line.isascii():
                raise PatchMatchError(
                    f"{path} is not UTF-8, and may be {codec}. To add text that is not ASCII, as in "
                    f"{excerpt(line)!r}, add a context line of the file that has such characters."
                )


@dataclass(slots=True)
class _Pattern:
    """The lines of a chunk to find in the file, and their replacement.

    Attributes:
        old: the lines to find.
        new: texts of new lines, and indices in `old` of those that stay.
    """

    old: list[str]
    new: list[int | str]

    @classmethod
    def of(cls, chunk: Chunk) -> "_Pattern":
        old: list[str] = []
        new: list[int | str] = []
        for line in chunk.lines:
            if line[0] == "+":
                new.append(line[1:])
            else:
                # A carriage return within a line ends a line in the file.
                parts = split_lines(line[1:])
                if line[0] == " ":
                    new += range(len(old), len(old) + len(parts))
                old += parts
        return cls(old, new)

    def empty_lines_at_the_end(self) -> int:
        return next((count for count, line in enumerate(reversed(self.old)) if line), len(self.old))

    def shortened(self, empty: int) -> "_Pattern":
        """Return the pattern without its last `empty` lines to find, and without as many at the end of the new ones."""
        rest = len(self.old) - empty
        new = ["" if isinstance(line, int) and line >= rest else line for line in self.new]
        while new and new[-1] == "" and len(self.new) - len(new) < empty:
            new.pop()
        return _Pattern(self.old[:rest], new)

    @property
    def all_context(self) -> bool:
        return sum(isinstance(line, int) for line in self.new) == len(self.old)


class _Search:
    """Searches a file from the first line to the last, chunk by chunk.

    Each pass has its own form of the file, built on first use: every line becomes one character,
    a distinct one for each line that the chunks look for and NUL for all others. A run of lines
    is then a substring, which `str.find` finds in linear time even with repetitions.
    """

    def __init__(self, file: FileLines, wanted: Iterable[str], path: str) -> None:
        self.confirmed_encoding = False  # whether a non-ASCII line was found as in the patch
        self._lines = file.lines
        self._encoding = file.encoding
        self._wanted = wanted
        self._path = path
        self._at = 0
        self._forms: dict[int, tuple[dict[str, str], str, dict[str, int]]] = {}

    def locate(self, chunk: Chunk, pattern: _Pattern) -> Replacement:
        """Locate the chunk, searching from the end of the previous one.

        Raises:
            PatchMatchError: it was not found.
        """
        context = self._at
        for line in chunk.context:
            context = self._context(line)
        if not pattern.old:
            return Replacement(self._insertion(chunk), 0, pattern.new)
        # An empty last line may stand for the end of the file, which is not a line there.
        empty = min(pattern.empty_lines_at_the_end(), len(pattern.old) - bool(self._lines))
        shorter = [pattern.shortened(count) for count in sorted({1, empty}) if count <= empty]
        # The context line may also be the first of the chunk's own lines.
        for start in (self._at, context) if chunk.context else (self._at,):
            for candidate in (pattern, *shorter):
                found = self._find(candidate.old, start, at_end=chunk.end_of_file)
                if found is not None:
                    self._at = found[0] + len(candidate.old)
                    if found[1] < _FOLDING_PASS and not all(line.isascii() for line in candidate.old):
                        self.confirmed_encoding = True
                    return self._replacement(candidate, *found)
        raise PatchMatchError(self._not_found(chunk, pattern.old))

    def _context(self, line: str) -> int:
        """Move past the context and return its index."""
        found = self._find((line,), self._at)
        index = found[0] if found is not None else self._beginning(line)
        if index is None:
            problem = f"Failed to find context {excerpt(line)!r} in {self._path}"
            raise PatchMatchError(problem + self._hint((line,)))
        self._at = index + 1
        return index

    def _beginning(self, context: str) -> int | None:
        """The first line that continues `context`, as `class A(B):` continues `class A`."""
        words = re.compile(rf"{re.escape(_folded(context))}(?:(?<!\w)|(?!\w))")  # only at a word boundary
        rest = range(self._at, len(self._lines))
        return next((index for index in rest if words.match(_folded(self._lines[index]))), None)

    def _insertion(self, chunk: Chunk) -> int:
        """The position of a chunk without old lines: after its context, otherwise before a final empty line."""
        if chunk.context and not chunk.end_of_file:
            return self._at
        return len(self._lines) - (self._lines[-1:] == [""])

    def _replacement(self, pattern: _Pattern, start: int, number: int) -> Replacement:
        new = [start + line if isinstance(line, int) else line for line in pattern.new]
        if number >= _PASSES_THAT_KEEP_INDENTATION:
            found = self._lines[start : start + len(pattern.old)]
            shift = indentation_shift(pattern.old, found, all_context=pattern.all_context)
            if shift is not None:
                new = [line if isinstance(line, int) else shift(line) for line in new]
        return Replacement(start, len(pattern.old), new)

    def _find(self, wanted: Sequence[str], start: int, *, at_end: bool = False) -> tuple[int, int] | None:
        """The position of `wanted` at or after `start`, only at the end of the file if `at_end`, and the pass."""
        if at_end:
            start = max(start, len(self._lines) - len(wanted))
        for number, form in enumerate(PASSES):
            characters, text, last = self._form(number)
            run = [characters[form(line)] for line in wanted]
            if all(last.get(character, -1) >= start for character in run):
                found = text.find("".join(run), start)
                if found >= 0:
                    return found, number
        return None

    def _form(self, number: int) -> tuple[dict[str, str], str, dict[str, int]]:
        """The characters of the wanted lines, the file as characters, and the last index of each of them."""
        if number not in self._forms:
            form = PASSES[number]
            characters: dict[str, str] = {}
            for line in self._wanted:
                characters.setdefault(form(line), chr(len(characters) + 1))
            text = "".join([characters.get(form(line), "\0") for line in self._lines])
            last: dict[str, int] = {}
            for start in range(0, len(text), PIECE):
                last.update(zip(text[start : start + PIECE], range(start, len(text)), strict=False))
            self._forms[number] = characters, text, last
        return self._forms[number]

    def _not_found(self, chunk: Chunk, wanted: Sequence[str]) -> str:
        message = f"Failed to find expected lines in {self._path}:\n{excerpt(chr(10).join(chunk.old_lines))}"
        if chunk.end_of_file:
            message += "\nThe patch says *** End of File: they must be the last lines."
        return message + self._hint(wanted)

    def _hint(self, wanted: Sequence[str]) -> str:
        """A hint where the lines are instead, or which lines are most similar."""
        if (found := self._find(wanted, 0)) is not None:
            where = f"\nThey are at line {found[0] + 1}"
            if found[0] >= self._at:
                return f"{where}."
            return f"{where}, before line {self._at + 1}, where the search began: chunks must be in the file's order."
        hint = ""
        if self._encoding.guessed:
            hint = f"\nThe file is not UTF-8; it was read as {self._encoding.codec}."
        if (near := nearest_region(self._lines, wanted)) is not None:
            return f"{hint}\nThe nearest lines there are:\n{excerpt(near)}"
        return hint
