"""Prints prose on a terminal while it is streamed, word by word, in rows that fit, without corrections.

A piece can end anywhere: in a word, in an escape sequence, or between a letter and its accent. A
character is therefore printed once nothing that follows can change it, and a word once it is complete.
"""

import unicodedata
from collections.abc import Callable

from code_core.lazy_pattern import lazy_pattern
from code_core.view.frame import NARROWEST_ROW, columns_of, looks_like
from code_core.view.visible import readable

MOST_HELD = 4096
"""Limit on characters held back until it is clear how to show them."""
_TAB = 8
_COLOUR = lazy_pattern(r"\x1b(?:\[[0-9;:]{0,32}(m)?)?")  # or its beginning
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


class StreamedProse:
    """Prints text that arrives in pieces.

    Args:
        write: receives text including newlines; output is never corrected.
        columns: returns the width of the screen, or None if rows need not fit.
        mark: a character that no row may begin with.
    """

    def __init__(self, write: Callable[[str], object], columns: Callable[[], int | None], mark: str) -> None:
        self._write = write
        self._columns = columns
        self._mark = mark
        self._out: list[str] = []
        self._pending = ""  # raw text not processed yet
        self._word = ""  # the start of a word, as displayed
        self._gap = ""  # newlines and spaces, printed only before the next word
        self._used = 0  # columns used in the current row
        self._width: int | None = None
        self.is_open = False

    def add(self, text: str) -> None:
        """Print as much of `text` and the held-back text as possible."""
        self._pending += text
        end = _settled(self._pending)
        settled, self._pending = self._pending[:end], self._pending[end:]
        self._lay_out(readable(settled))
        self._flush()

    def end(self) -> None:
        """Print what was held back and end the row."""
        settled, self._pending = self._pending, ""
        self._lay_out(readable(settled))
        self._finish_word()
        if self.is_open:
            self._out.append("\n")
        self._gap, self._used, self.is_open = "", 0, False
        self._flush()

    def _lay_out(self, text: str) -> None:
        columns = self._columns()
        self._width = None if columns is None else max(NARROWEST_ROW, columns)
        for character in text:
            if character in "\n \t":
                self._finish_word()
                self._gap = self._gap.rstrip(" \t") + "\n" if character == "\n" else self._gap + character
                continue
            wide = columns_of(character) == 2 and unicodedata.category(character) == "Lo"
            if wide or (self._width is not None and _columns(self._word + character) > self._width - 1):
                self._finish_word()  # a script without spaces, or a word longer than a row
            self._word += character

    def _finish_word(self) -> None:
        if not (word := self._word):
            return
        self._word = ""
        if not self.is_open:
            self.is_open = True
            self._gap = ""
            self._out.append("\n")
        self._leave_gap(_columns(word))
        if self._used == 0 and looks_like(word, self._mark):
            self._out.append(" ")
            self._used = 1
        self._out.append(word)
        self._used += _columns(word)

    def _leave_gap(self, columns: int) -> None:
        """Print the spaces before a word of `columns` columns, or start a new row if it does not fit."""
        lines, blanks = self._gap.count("\n"), self._gap.replace("\n", "")
        self._gap = ""
        if lines:
            self._out.append("\n" * lines)
            self._used = 0
        before = " " * self._used
        width = len((before + blanks).expandtabs(_TAB)) - self._used
        if self._width is None or self._used + width + columns <= self._width:
            self._out.append(" " * width)
            self._used += width
        elif self._used:
            self._out.append("\n")
            self._used = 0

    def _flush(self) -> None:
        if self._out:
            self._write("".join(self._out))
            self._out.clear()


def _settled(text: str) -> int:
    """Number of leading characters that no following text can change."""
    if len(text) > MOST_HELD:
        return len(text)
    end = len(text)
    if text and text[-1] not in "\n ":
        end -= 1
    while end and end < len(text) and _changes_what_is_before(text[end]):
        end -= 1
    if end and text[end - 1] == "\r":
        end -= 1
    escape = text.rfind("\x1b")
    if escape >= 0 and (colour := _COLOUR.match(text, escape)):
        unfinished = colour[1] is None and colour.end() == len(text)
        end = min(end, escape) if unfinished or escape < end < colour.end() else end
    return end


def _changes_what_is_before(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character)[0] == "M"


def _columns(word: str) -> int:
    return len(word) if word.isascii() else sum(map(columns_of, word))
