"""Finds where the chunks of an update belong, and makes the new text.

A chunk's lines are sought from where the last one ended, in four passes from
strict to lenient; the first hit of the earliest pass wins: exact, without
trailing white space, without any white space around, with typographic dashes,
quotes and spaces taken for their ASCII forms.
"""

from collections.abc import Callable, Sequence

from code_core.patch.errors import PatchMatchError, excerpt
from code_core.patch.lines import FileLines
from code_core.patch.model import Chunk
from code_core.patch.nearest import nearest_region

_TYPOGRAPHY = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2018\u2019\u201a\u201b", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f", '"'),
    **dict.fromkeys("\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
}
_FOLD = str.maketrans(_TYPOGRAPHY)


def _exact(line: str) -> str:
    return line


def _folded(line: str) -> str:
    return line.strip().translate(_FOLD)


PASSES: tuple[Callable[[str], str], ...] = (_exact, str.rstrip, str.strip, _folded)


def apply_chunks(original: str, chunks: Sequence[Chunk], path: str) -> str:
    """`original` with `chunks` applied; untouched lines keep their line ends.

    Raises:
        PatchMatchError: a context or the lines of a chunk are not there.
    """
    file = FileLines(original)
    index = _LineIndex(file.lines, path)
    replacements: list[tuple[int, int, tuple[str, ...]]] = []
    at = 0
    for chunk in chunks:
        start, length, new = _place(chunk, index, at, path)
        replacements.append((start, length, new))
        if chunk.old_lines or chunk.context:
            at = start + length
    # What is added at the end may come before a change further up.
    replacements.sort(key=lambda replacement: replacement[0])
    return file.replaced(replacements)


def _place(chunk: Chunk, index: "_LineIndex", at: int, path: str) -> tuple[int, int, tuple[str, ...]]:
    """Where the chunk's old lines start, how many lines they are, and what takes their place."""
    for context in chunk.context:
        found = index.find((context,), at)
        if found is None:
            raise PatchMatchError(f"Failed to find context {excerpt(context)!r} in {path}")
        at = found + 1
    old, new = chunk.old_lines, chunk.new_lines
    if not old:
        return (at if chunk.context and not chunk.end_of_file else index.end, 0, new)
    found = index.find(old, at, at_end=chunk.end_of_file)
    if found is None and old[-1] == "" and len(old) > 1:
        # The empty line stands for the end of the file, which has no line there.
        old = old[:-1]
        new = new[:-1] if new and new[-1] == "" else new
        found = index.find(old, at, at_end=chunk.end_of_file)
    if found is None:
        raise PatchMatchError(_not_found(chunk, index.lines, path))
    return found, len(old), new


class _LineIndex:
    """Finds runs of lines.

    Each pass has its form of the file, made when it is first needed: every
    distinct line becomes one character, so that a run of lines is a substring,
    which `str.find` finds in linear time whatever repeats.
    """

    def __init__(self, lines: list[str], path: str) -> None:
        self.lines = lines
        self._path = path
        self._forms: dict[int, tuple[dict[str, str], str]] = {}

    @property
    def end(self) -> int:
        """Where lines are added at the end: before a last line that is empty."""
        return len(self.lines) - 1 if self.lines and not self.lines[-1] else len(self.lines)

    def find(self, wanted: Sequence[str], start: int, *, at_end: bool = False) -> int | None:
        """Where `wanted` stands at or after `start`; only as the last lines if `at_end`."""
        if at_end:
            start = max(start, len(self.lines) - len(wanted))
        for number, form in enumerate(PASSES):
            characters, text = self._form(number)
            run = [characters.get(form(line)) for line in wanted]
            if None not in run:
                found = text.find("".join(filter(None, run)), start)
                if found >= 0:
                    return found
        return None

    def _form(self, number: int) -> tuple[dict[str, str], str]:
        if number not in self._forms:
            form = PASSES[number]
            characters: dict[str, str] = {}
            try:
                text = "".join(
                    [characters.setdefault(form(line), chr(len(characters))) for line in self.lines]
                )
            except ValueError:
                raise PatchMatchError(f"{self._path} has too many different lines to be patched") from None
            self._forms[number] = characters, text
        return self._forms[number]


def _not_found(chunk: Chunk, lines: list[str], path: str) -> str:
    where = " at the end of the file" if chunk.end_of_file else ""
    message = f"Failed to find expected lines in {path}{where}:\n{excerpt(chr(10).join(chunk.old_lines))}"
    if near := nearest_region(lines, chunk.old_lines):
        message += f"\nThe nearest lines there are:\n{excerpt(near)}"
    return message
