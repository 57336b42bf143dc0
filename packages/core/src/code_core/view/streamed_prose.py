"""Prose on a terminal while the model writes it: word by word, in rows that fit, with nothing to take back.

A piece of text ends anywhere: in a word, in an escape sequence, between a letter and its accent. So a
character is shown when nothing that follows can change how it is shown, and a word when it is whole.
"""

import re
import unicodedata
from collections.abc import Callable

from code_core.view.frame import NARROWEST_ROW, columns_of, looks_like
from code_core.view.visible import readable

MOST_HELD = 4096
"""Characters that are held back at most until it is clear how to show them."""
_TAB = 8
_COLOUR = re.compile(r"\x1b(?:\[[0-9;:]{0,32}(m)?)?")  # or the beginning of one
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"


class StreamedProse:
    """Writes text that comes in pieces.

    Args:
        write: gets text with its newlines; nothing is taken back.
        columns: the width of the screen; None where rows need not fit.
        mark: a character that no row may begin with.
    """

    def __init__(self, write: Callable[[str], object], columns: Callable[[], int | None], mark: str) -> None:
        self._write = write
        self._columns = columns
        self._mark = mark
        self._out: list[str] = []
        self._pending = ""  # of the text, as it came
        self._word = ""  # the beginning of a word, as it is shown
        self._gap = ""  # newlines and blanks, which are written before the next word only
        self._used = 0  # columns of the row
        self._width: int | None = None
        self.is_open = False

    def add(self, text: str) -> None:
        """Write what can be written of `text` and of what was held back."""
        self._pending += text
        end = _settled(self._pending)
        settled, self._pending = self._pending[:end], self._pending[end:]
        self._lay_out(readable(settled))
        self._flush()

    def end(self) -> None:
        """Write what was held back, and end the row."""
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
                self._finish_word()  # a script without blanks, or a word longer than a row
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
        """Write the blanks before a word of so many columns; a word that does not fit begins a row."""
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
    """How many characters of `text` are shown the same whatever follows them."""
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
