"""Lines with a mark before each, so that text from outside cannot pose as ours.

A terminal wraps a long line to the left edge, where the rest of it could look like a
line of its own. So lines are wrapped here, and what goes on has the mark, too.
"""

import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_ROW = 500
"""Columns of a row where the width of the screen is not known."""
NARROWEST_ROW = 20


def framed(lines: Iterable[str], mark: str, columns: int | None = None) -> Iterator[str]:
    """Each of `lines` behind `mark`, in rows of at most `columns` columns; tabs become blanks.

    Nothing is left out. A row that goes on with the line above begins with `… `.
    """
    room = max(NARROWEST_ROW, (LONGEST_ROW if columns is None else columns) - len(mark))
    for line in lines:
        for number, row in enumerate(_rows(line.expandtabs(8), room)):
            yield f"{mark}{'… ' if number else ''}{row}"


def wrapped(line: str, columns: int | None) -> str:
    """`line` in rows of at most `columns` columns, those after the first indented by two; as it is without `columns`."""
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
            row, used = "", 2  # columns of what begins a row that goes on
        row += character
        used += width
    yield row


def columns_of(character: str) -> int:
    """How many columns a character takes at most."""
    if character <= "~":
        return 1
    if unicodedata.category(character)[0] == "M":
        return 0
    # Ambiguous ones ("A") are wide in some terminals: a row that is too short does no harm.
    return 2 if unicodedata.east_asian_width(character) in "WFA" else 1
