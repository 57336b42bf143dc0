"""A file's text as lines that remember how they ended."""

import re
from collections import Counter

_LINE_END = re.compile(r"\r\n|\n|\r")


class FileLines:
    r"""The lines of a file, and the line end of each.

    Only `\n`, `\r\n` and a lone `\r` end a line; other separators that Unicode
    knows are text. The last line has an empty end if the file does not end with one.

    Args:
        text: the file, newlines untranslated.
    """

    def __init__(self, text: str) -> None:
        if "\r" in text:
            self.lines = _LINE_END.split(text)
            self.ends = [match[0] for match in _LINE_END.finditer(text)]
        else:
            self.lines = text.split("\n")
            self.ends = ["\n"] * (len(self.lines) - 1)
        self.ends.append("")
        if not self.lines[-1]:
            self.lines.pop()
            self.ends.pop()
        counts = Counter(end for end in self.ends if end)
        self.usual_end = counts.most_common(1)[0][0] if counts else "\n"

    def replaced(self, replacements: list[tuple[int, int, tuple[str, ...]]]) -> str:
        """The text with runs of lines replaced: each `(start, length, new lines)`, in order, without overlap.

        A new line takes the end of the line in whose place it stands, else the
        usual one. The result ends with a line end unless it is empty.
        """
        lines: list[str] = []
        ends: list[str] = []
        done = 0
        for place, length, new in replacements:
            start = max(place, done)  # lines added at the end may meet a change of the last line
            lines += self.lines[done:start]
            ends += self.ends[done:start]
            for offset, line in enumerate(new):
                lines.append(line)
                ends.append(self.ends[start + offset] if offset < length else self.usual_end)
            done = start + length
        lines += self.lines[done:]
        ends += self.ends[done:]
        return "".join(line + (end or self.usual_end) for line, end in zip(lines, ends, strict=True))
