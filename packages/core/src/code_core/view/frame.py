"""Prefixes lines with a mark, so that untrusted text cannot imitate our own.

A terminal wraps a long line to the left edge, where the remainder could look like a line of ours.
Lines are therefore wrapped here, and continuation rows get the mark too.
"""

import unicodedata
from collections.abc import Iterable, Iterator

LONGEST_ROW = 500
"""Columns of a row if the width of the screen is unknown."""
NARROWEST_ROW = 8
"""The fewest columns of a row, even on a narrower screen."""
_GOES_ON = "… "
_ALIKE = {"?": "ʔɁɂॽᎮꛫ❓❔"}
"""Characters that look like a mark but are not normalised to it. Source: confusables.txt of Unicode 17."""


def framed(lines: Iterable[str], mark: str, columns: int | None = None) -> Iterator[str]:
    """Yield `lines` prefixed with `mark`, in rows of at most `columns` columns; tabs become spaces.

    Nothing is omitted. Continuation rows begin with `… `.
    """
    room = max(NARROWEST_ROW, (LONGEST_ROW if columns is None else columns) - len(mark))
    for line in lines:
        for number, row in enumerate(_rows(line.expandtabs(8), room)):
            yield f"{mark}{_GOES_ON if number else ''}{row}"


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
            row, used = "", _COLUMNS_OF_GOES_ON
        row += character
        used += width
    yield row


def columns_of(character: str) -> int:
    """Return the most columns that a character uses in any terminal, whatever its version of Unicode.

    A row that is too short does no harm; one that is too long continues on a row without our mark.
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
    """Whether `text` contains `mark` or a similar-looking character, such as a full-width one."""
    if text.isascii():
        return mark in text
    return mark in unicodedata.normalize("NFKC", text) or not set(_ALIKE.get(mark, "")).isdisjoint(text)


def looks_like(text: str, mark: str) -> bool:
    """Whether `text` begins with `mark` or a similar-looking character."""
    return may_contain(unicodedata.normalize("NFKC", text[:1])[:1], mark)
