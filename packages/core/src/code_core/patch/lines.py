"""A file's text as lines that remember how they ended."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

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
    one. A byte order mark is no part of the first line.

    Args:
        text: the file, newlines untranslated.
    """

    def __init__(self, text: str) -> None:
        self._mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        text = text.removeprefix(self._mark)
        self.lines = split_lines(text)
        self._ends = _LINE_END.findall(text) if "\r" in text else ["\n"] * (len(self.lines) - 1)
        self._usual_end = Counter(self._ends).most_common(1)[0][0] if self._ends else "\n"
        if self.lines[-1]:
            self._ends.append("")
        else:
            self.lines.pop()

    def replaced(self, replacements: Iterable[Replacement]) -> str:
        """The text with runs of lines replaced, which come in order and do not overlap.

        A line that stays keeps its text and its end. A new one takes the end of the
        line in whose place it stands, else of the line before. The result ends with a
        line end unless it is empty.
        """
        lines: list[str] = []
        ends: list[str] = []
        done = 0
        for replacement in replacements:
            start = max(replacement.start, done)  # lines added at the end may meet a change of the last line
            lines += self.lines[done:start]
            ends += self._ends[done:start]
            before = ends[-1] if ends else "".join(self._ends[:1])
            for line, end in self._new_lines(replacement):
                before = before if end is None else end
                lines.append(line)
                ends.append(before)
            done = start + replacement.length
        lines += self.lines[done:]
        ends += self._ends[done:]
        text = "".join([line + (end or self._usual_end) for line, end in zip(lines, ends, strict=True)])
        return self._mark + text.removeprefix(self._mark)

    def _new_lines(self, replacement: Replacement) -> Iterator[tuple[str, str | None]]:
        """The lines of `replacement` with their ends; None for one that stands in no other's place."""
        stop = replacement.start + replacement.length
        stays = iter([line for line in replacement.lines if isinstance(line, int)])
        place, next_stays = replacement.start, next(stays, stop)
        for line in replacement.lines:
            if isinstance(line, int):
                yield self.lines[line], self._ends[line]
                place, next_stays = line + 1, next(stays, stop)
            elif place < next_stays:
                yield line, self._ends[place]
                place += 1
            else:
                yield line, None


def split_lines(text: str) -> list[str]:
    r"""The lines of `text` without their ends; one more than there are `\n`, `\r\n` and `\r`."""
    return _LINE_END.split(text) if "\r" in text else text.split("\n")
