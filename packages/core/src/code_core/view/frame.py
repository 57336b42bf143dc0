"""Prefixes lines with a mark, so that untrusted text cannot imitate our own.

A terminal wraps a long line to the left edge, where the remainder could look like a line of ours.
Lines are therefore wrapped here, and continuation rows get the mark too.
"""

import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_ROW = 500
"""Columns of a row if the width of the screen is unknown."""
NARROWEST_ROW = 20


def framed(lines: Iterable[str], mark: str, columns: int | None = None) -> Iterator[str]:
    """Yield `lines` prefixed with `mark`, in rows of at most `columns` columns; tabs become spaces.

    Nothing is omitted. Continuation rows begin with `… `.
    """
    room = max(NARROWEST_ROW, (LONGEST_ROW if columns is None else columns) - len(mark))
    for line in lines:
        for number, row in enumerate(_rows(line.expandtabs(8), room)):
            yield f"{mark}{'… ' if number else ''}{row}"


def wrapped(line: str, columns: int | None) -> str:
    """Wrap `line` to rows of at most `columns` columns, indenting continuation rows by two, unless `columns` is None."""
    if columns is None:
        return line
    return "\n  ".join(_rows(line.expandtabs(8), max(NARROWEST_ROW, columns)))


def _rows(line: str, room: int) -> Iterator[str]:
    if len(line) <= room and line.isascii():
        yield line
        return
    row, used = "", 0
    for character in line:
        width = columns_of(character)
        if used + width > room:
            yield row
            row, used = "", 2  # columns of the continuation prefix
        row += character
        used += width
    yield row


def columns_of(character: str) -> int:
    """Return the maximum number of columns that a character uses."""
    if character <= "~":
        return 1
    if unicodedata.category(character)[0] == "M":
        return 0
    # Ambiguous characters ("A") are wide in some terminals; a row that is too short does no harm.
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1
