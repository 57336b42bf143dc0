"""Lines with a mark before each, so that text from outside cannot pose as ours.

A terminal wraps a long line to the left edge, where the rest of it could look like a
line of its own. So lines are wrapped here, and what goes on has the mark, too.
"""

import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_ROW = 500
"""Columns of a row where the width of the screen is not known."""
NARROWEST_ROW = 8
"""Columns that a row has at least, even on a narrower screen."""
_GOES_ON = "… "
_ALIKE = {"?": "ʔɁɂॽᎮꛫ❓❔"}
"""Characters that look like a mark, and are not normalised to it. Source: confusables.txt of Unicode 17."""


def framed(lines: Iterable[str], mark: str, columns: int | None = None) -> Iterator[str]:
    """Each of `lines` behind `mark`, in rows of at most `columns` columns; tabs become blanks.

    Nothing is left out. A row that goes on with the line above begins with `… `.
    """
    room = max(NARROWEST_ROW, (LONGEST_ROW if columns is None else columns) - len(mark))
    for line in lines:
        for number, row in enumerate(_rows(line.expandtabs(8), room)):
            yield f"{mark}{_GOES_ON if number else ''}{row}"


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
            row, used = "", _COLUMNS_OF_GOES_ON
        row += character
        used += width
    yield row


def columns_of(character: str) -> int:
    """How many columns a character takes at most, whatever the terminal and its version of Unicode.

    A row that is too short does no harm; one that is too long begins a row that we have not marked.
    """
    if character <= "~":
        return 1
    category = unicodedata.category(character)
    wide = unicodedata.east_asian_width(character) in "WFA"  # ambiguous ones are wide in some terminals
    if category == "Mc":
        return 2 if wide else 1
    if category in {"Mn", "Me"}:
        return int(character == _EMOJI_STYLE)  # it makes the character before it wide
    # Symbols and numbers become wide from one version of Unicode to the next.
    return 2 if wide or category in {"So", "No"} else 1


_EMOJI_STYLE = "\ufe0f"
_COLUMNS_OF_GOES_ON = sum(map(columns_of, _GOES_ON))


def may_contain(text: str, mark: str) -> bool:
    """Whether `text` has `mark` or a character that looks like it, such as a full-width one."""
    if text.isascii():
        return mark in text
    return mark in unicodedata.normalize("NFKC", text) or not set(_ALIKE.get(mark, "")).isdisjoint(text)


def looks_like(text: str, mark: str) -> bool:
    """Whether `text` begins with `mark` or a character that looks like it."""
    return may_contain(unicodedata.normalize("NFKC", text[:1])[:1], mark)
