r"""A file as lines that know their line endings and byte offsets.

Lines that an edit does not touch keep their bytes, including line endings. In a file with mixed
line endings, a new line gets the line ending of the line it replaces, or else of the line before it.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern
from code_core.patch.encoding import PIECE, encoding_of

_LINE_END = lazy_pattern(r"\r\n|\n|\r")
_BYTE_ORDER_MARK = "\ufeff"


@frozen
class Replacement:
    """A replacement for a run of lines.

    Attributes:
        start: the index of the first line of the run.
        length: the number of lines in the run.
        lines: texts of new lines, and indices of lines of the run that stay.
    """

    start: int
    length: int
    lines: Sequence[int | str]


class FileLines:
    r"""The lines of a file with their line endings.

    Only `\n`, `\r\n` and a lone `\r` end a line; other Unicode separators are text. The last line
    has an empty line ending if the file does not end with one. A byte order mark is not part of the
    first line.

    Args:
        data: the file.

    Raises:
        NotTextError: the file is binary, or contradicts its byte order mark.
    """

    def __init__(self, data: bytes) -> None:
        self.encoding = encoding_of(data)
        self.lines: list[str] = []
        self._data = data
        self._ends: list[str] = []
        self._pieces: list[tuple[int, int]] = []  # the first line and byte offset of each
        self._last = 0, len(self.encoding.mark)  # the last requested line and its byte offset
        counts = Counter[str]()
        for start, text in self.encoding.pieces(data):
            self._pieces.append((len(self.lines), start))
            lines = split_lines(text)
            ends = _LINE_END.findall(text) if "\r" in text else ["\n"] * (len(lines) - 1)
            counts.update(ends)
            if lines[-1]:
                ends.append("")
            else:
                lines.pop()
            self.lines += lines
            self._ends += ends
        self._usual_end = counts.most_common(1)[0][0] if counts else "\n"

    def replaced(self, replacements: Iterable[Replacement]) -> bytes:
        """Return the file with runs of lines replaced; replacements are in order and do not overlap.

        A line that stays keeps its bytes. A last line without a line ending stays that way unless another
        line now follows it; a new last line gets a line ending.

        Raises:
            UnicodeEncodeError: the file's encoding lacks a character of a new line.
        """
        data = memoryview(self._data)
        parts: list[bytes | memoryview] = [self.encoding.mark]
        done = 0
        before, unended = self._end(0), False
        for replacement in replacements:
            start = max(
                replacement.start, done
            )  # lines added at the end may overlap a change of the last line
            if start > done:
                parts.append(data[self._offset(done) : self._offset(start)])
                before, unended = self._end(start - 1), not self._ends[start - 1]
            for line, end in self._new_lines(replacement):
                if unended:
                    parts.append(self.encoding.encode(self._usual_end))
                if isinstance(line, int):
                    before, unended = self._end(line), not self._ends[line]
                    parts.append(self.encoding.encode(self.lines[line] + self._ends[line]))
                else:
                    before, unended = before if end is None else end, False
                    if self.encoding.mark and len(parts) == 1:
                        line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901 - the file already has one
                    parts.append(self.encoding.encode(line + before))
            done = max(done, replacement.start + replacement.length)
        return _joined([*parts, data[self._offset(done) :]])

    def _new_lines(self, replacement: Replacement) -> Iterator[tuple[int | str, str | None]]:
        """The lines of `replacement`; each new one with the line ending of the line it replaces, if any."""
        stop = replacement.start + replacement.length
        stays = iter([line for line in replacement.lines if isinstance(line, int)])
        position, next_stays = replacement.start, next(stays, stop)
        for line in replacement.lines:
            if isinstance(line, int):
                yield line, None
                position, next_stays = line + 1, next(stays, stop)
            elif position < next_stays:
                yield line, self._end(position)
                position += 1
            else:
                yield line, None

    def _end(self, line: int) -> str:
        """The line ending of a line, or the file's usual one if it has none."""
        return (self._ends[line] if line < len(self._ends) else "") or self._usual_end

    def _offset(self, line: int) -> int:
        """The byte offset of a line, or the length of the file; must be called in ascending order."""
        if line >= len(self.lines):
            return len(self._data)
        piece = self._pieces[bisect_right(self._pieces, (line, len(self._data))) - 1]
        first, offset = max(piece, self._last)
        skipped = zip(self.lines[first:line], self._ends[first:line], strict=True)
        offset += len(self.encoding.encode("".join([text + end for text, end in skipped])))
        self._last = line, offset
        return offset


def _joined(parts: Iterable[bytes | memoryview]) -> bytes:
    """Join the parts, copying in pieces."""
    joined = BytesIO()
    for part in parts:
        for start in range(0, len(part), PIECE):
            joined.write(part[start : start + PIECE])
    return joined.getvalue()


def split_lines(text: str) -> list[str]:
    r"""Split `text` into lines without line endings; one more than the number of `\n`, `\r\n` and `\r`."""
    return _LINE_END.split(text) if "\r" in text else text.split("\n")
