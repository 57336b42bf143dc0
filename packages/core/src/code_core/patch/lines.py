r"""A file as lines that remember how they ended, and where their bytes are.

Lines that an edit does not touch keep their bytes, line ends included. In a file with mixed
line ends, a new line takes the end of the line in whose place it stands, else of the line
before it.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO

from code_core.patch.encoding import PIECE, encoding_of

_LINE_END = re.compile(r"\r\n|\n|\r")
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What takes the place of a run of lines.

    Attributes:
        start: the index of the first line of the run.
        length: how many lines the run has.
        lines: texts of new lines, and indices of lines of the run that stay.
    """

    start: int
    length: int
    lines: Sequence[int | str]


class FileLines:
    r"""The lines of a file, and the line end of each.

    Only `\n`, `\r\n` and a lone `\r` end a line; other separators that Unicode
    knows are text. The last line has an empty end if the file does not end with
    one. A byte order mark is not part of the first line.

    Args:
        data: the file.

    Raises:
        NotTextError: the file is binary, or not what its byte order mark says.
    """

    def __init__(self, data: bytes) -> None:
        self.encoding = encoding_of(data)
        self.lines: list[str] = []
        self._data = data
        self._ends: list[str] = []
        self._pieces: list[tuple[int, int]] = []  # the first line and the first byte of each
        self._last = 0, len(self.encoding.mark)  # the line last asked for, and its first byte
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
        """The file with runs of lines replaced, which come in order and do not overlap.

        A line that stays keeps its bytes. A last line without an end stays without one, unless
        a line follows it now; a new last line gets an end.

        Raises:
            UnicodeEncodeError: the file's encoding lacks a character of a new line.
        """
        data = memoryview(self._data)
        parts: list[bytes | memoryview] = [self.encoding.mark]
        done = 0
        before, unended = self._end(0), False
        for replacement in replacements:
            start = max(replacement.start, done)  # lines added at the end may meet a change of the last line
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
                        line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901 - the file has one already
                    parts.append(self.encoding.encode(line + before))
            done = max(done, replacement.start + replacement.length)
        return _joined([*parts, data[self._offset(done) :]])

    def _new_lines(self, replacement: Replacement) -> Iterator[tuple[int | str, str | None]]:
        """The lines of `replacement`; a new one with the end of the line in whose place it stands, if any."""
        stop = replacement.start + replacement.length
        stays = iter([line for line in replacement.lines if isinstance(line, int)])
        place, next_stays = replacement.start, next(stays, stop)
        for line in replacement.lines:
            if isinstance(line, int):
                yield line, None
                place, next_stays = line + 1, next(stays, stop)
            elif place < next_stays:
                yield line, self._end(place)
                place += 1
            else:
                yield line, None

    def _end(self, line: int) -> str:
        """The line ending of a line; the file's usual one for a line without any."""
        return (self._ends[line] if line < len(self._ends) else "") or self._usual_end

    def _offset(self, line: int) -> int:
        """The place of the first byte of a line, or the length of the file; asked for from the first line to the last."""
        if line >= len(self.lines):
            return len(self._data)
        piece = self._pieces[bisect_right(self._pieces, (line, len(self._data))) - 1]
        first, offset = max(piece, self._last)
        skipped = zip(self.lines[first:line], self._ends[first:line], strict=True)
        offset += len(self.encoding.encode("".join([text + end for text, end in skipped])))
        self._last = line, offset
        return offset


def _joined(parts: Iterable[bytes | memoryview]) -> bytes:
    """The parts as one, copied a piece at a time."""
    joined = BytesIO()
    for part in parts:
        for start in range(0, len(part), PIECE):
            joined.write(part[start : start + PIECE])
    return joined.getvalue()


def split_lines(text: str) -> list[str]:
    r"""The lines of `text` without their ends; one more than there are `\n`, `\r\n` and `\r`."""
    return _LINE_END.split(text) if "\r" in text else text.split("\n")
