r"""Makes untrusted text visible: it must not control a terminal or look like something else.

There are three ways to show a text, the strictest first:

- `visible`, for anything that a decision depends on (commands, paths, names): one line with every
  character visible. Nothing is removed, and different texts never look the same.
- `visible_line`, for a line of a file: invisible characters are escaped; tabs and other scripts stay
  (`visible_change` is for lines that a patch adds or removes).
- `readable`, for prose and command output: the same for several lines, without colours.

An invisible character is shown by its number, as `\x1b`, `\u202e` or `\U000e0041`.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from code_core.lazy_pattern import lazy_pattern

MOST_MARKS = 3
"""Combining marks allowed on one character."""

# Printable according to Python, but blank: fillers, joiners and variation selectors.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159"
    + "".join(map(chr, [*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]))
)
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
# Look-alikes of punctuation with a meaning in shells: hyphens, slashes, bars, colons, quotes.
_LIKE_PUNCTUATION = frozenset("‐‑‒−⁄∕⧸╱∣ǀ∶꞉ʹʼˈˋ‵′")  # noqa: RUF001 - look-alikes on purpose
# Scripts with letters that look like Latin ones.
_LIKE_LATIN = ("ARMENIAN ", "CHEROKEE ", "COPTIC ", "CYRILLIC ", "GREEK ", "LISU ")
_WORD = lazy_pattern(r"[^\W\d_]+")
_ASCII_LETTER = lazy_pattern(r"[A-Za-z]")

# Backslashes before text that reads as an escape, or before a character that may become one.
_AMBIGUOUS = lazy_pattern(r"\\+(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}| {21}|[^ -~])")
_WIDE_GAP = lazy_pattern(r"(?<! ) {21,}")
_ODD_BLANK = lazy_pattern(r"[^\S \t\u3000]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,32}m")
_OUR_STYLE = lazy_pattern(r"(\x1b\[(?:0|1|2|31|32|33|36)m)")
# Everything but ASCII and the commonest letters and symbols, which need no closer look.
_COMMON = "\\t -~\xa1-\xac\xae-\u02af\u0410-\u044f\u2013\u2014\u2018-\u201d\u2026\u2190-\u21ff\u2500-\u259f\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fff\uac00-\ud7a3"
_PLAIN_LINE = re.compile(r"[\t -~]*")
_PLAIN = re.compile(r"[\n\t -~]*")
_RETURN = re.compile(r"\r+\n?")
_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE, _KEYCAP = "\u200c", "\u200d", "\ufe0e", "\ufe0f", "\u20e3"


def visible(text: str) -> str:
    r"""Return `text` on one line with every character visible; different texts stay different.

    Newlines, tabs and all blanks except the space are escaped, and so are right-to-left letters, which
    reorder their surroundings, and look-alike characters. A backslash before text that reads as an
    escape is doubled.
    """
    if text.isascii() and text.isprintable() and "\\" not in text and " " * 21 not in text:
        return text
    text = _AMBIGUOUS.sub(lambda found: found[0] * 2, text)
    text = _WIDE_GAP.sub(lambda gap: gap[0] if gap.start() == 0 else "\\x20" * len(gap[0]), text)
    if text.isascii() and text.isprintable():
        return text
    foreign = _like_latin(text)
    return _escaped(text, lambda at: at not in foreign and _is_distinct(text, at))


def visible_line(line: str) -> str:
    """Return a line of a file with invisible characters escaped; tabs, emoji and letters of every script stay."""
    return line if _PLAIN_LINE.fullmatch(line) else _shown(line, _doubtful(""))


def visible_change(line: str, *, tabs: bool = False) -> str:
    """Return a line that a patch adds or removes: like `visible_line`, but safe to approve.

    Trailing blanks, blanks other than the space, and look-alikes of Latin letters in Latin words are
    escaped, and with `tabs`, tabs too.
    """
    body = line.rstrip(" \t")
    if not body.isascii():
        foreign = _like_latin(body)
        body = "".join(
            escape(character) if at in foreign or _ODD_BLANK.match(character) else character
            for at, character in enumerate(body)
        )
    end = "".join(map(escape, line[len(line.rstrip(" \t")) :]))
    shown = visible_line(body)
    return (shown.replace("\t", escape("\t")) if tabs else shown) + end


def readable(text: str) -> str:
    """Return prose or output without colours, with invisible characters escaped and carriage returns as line endings."""
    return _readable(_RETURN.sub("\n", _COLOUR.sub("", text)))


def for_terminal(text: str) -> str:
    """Return `text` safe for a terminal: everything is escaped except newlines, tabs and our own styles."""
    parts = _OUR_STYLE.split(text)
    return "".join(part if number % 2 else _readable(part) for number, part in enumerate(parts))


def escape(character: str) -> str:
    r"""Return the number of `character`, as `\x1b`, `\u202e` or `\U000e0041`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _like_latin(text: str) -> frozenset[int]:
    """Positions of look-alikes of Latin letters within words that contain Latin letters."""
    return frozenset(
        found.start() + offset
        for found in _WORD.finditer(text)
        if _ASCII_LETTER.search(found[0])
        for offset, letter in enumerate(found[0])
        if letter > "~" and unicodedata.name(letter, "").startswith(_LIKE_LATIN)
    )


def _escaped(text: str, may_stay: Callable[[int], bool], start: int = 0, stop: int | None = None) -> str:
    """A part of `text` with non-ASCII characters escaped unless they may stay.

    A combining mark may not stay without its base character.
    """
    shown: list[str] = []
    stayed = start > 0 and text[start - 1] >= " "
    for position in range(start, len(text) if stop is None else stop):
        character = text[position]
        stayed = " " <= character <= "~" or ((stayed or not _is_mark(character)) and may_stay(position))
        shown.append(character if stayed else escape(character))
    return "".join(shown)


def _is_distinct(text: str, position: int) -> bool:
    """Whether a character is visible, keeps its position, and does not look like one or more others."""
    character = text[position]
    if not _can_be_seen(character) or character in _LIKE_PUNCTUATION:
        return False
    if unicodedata.bidirectional(character) in _RIGHT_TO_LEFT:
        return False
    alike = unicodedata.normalize("NFKC", character)
    if unicodedata.normalize("NFC", character) != character or (len(alike) == 1 and alike.isascii()):
        return False
    if not _is_mark(character):
        return True
    before = text[position - 1]
    composed = unicodedata.normalize("NFC", before + character) != before + character
    return before > "~" and not composed and _marks_before(text, position) < MOST_MARKS


def _readable(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _shown(text, _doubtful("\n"))


@cache
def _doubtful(kept: str) -> re.Pattern[str]:
    """A pattern for characters that need a closer look, besides `kept`; built lazily, because it takes milliseconds."""
    return re.compile(f"[^{kept}{_COMMON}]+")


def _shown(text: str, doubtful: re.Pattern[str]) -> str:
    """`text` with matches of the pattern escaped unless they may stay."""
    return doubtful.sub(
        lambda run: _escaped(text, lambda at: _may_stay(text, at), run.start(), run.end()), text
    )


def _may_stay(text: str, position: int) -> bool:
    character = text[position]
    if character in _JOINING:
        return _joins(
            character, text[position - 1 : position] or " ", text[position + 1 : position + 2] or " "
        )
    if unicodedata.category(character) == "Zs":
        return True
    if not _can_be_seen(character):
        return False
    return not _is_mark(character) or _marks_before(text, position) < MOST_MARKS


_JOINING = frozenset({_ZWNJ, _ZWJ, _TEXT_STYLE, _EMOJI_STYLE})


def _joins(character: str, before: str, after: str) -> bool:
    """Whether an invisible character is meaningful here: in an emoji, or between letters of a joining script."""
    if character in {_TEXT_STYLE, _EMOJI_STYLE}:
        symbol = before > "~" and unicodedata.category(before)[0] in "SP"
        return symbol or (before in "0123456789#*" and after == _KEYCAP)
    if before > "\u058f" and after > "\u058f" and unicodedata.category(after)[0] in "LM":
        return unicodedata.category(before)[0] in "LM" and before not in _BLANK
    symbols = before == _EMOJI_STYLE or unicodedata.category(before) in {"So", "Sk"}
    return character == _ZWJ and symbols and unicodedata.category(after) == "So"


def _can_be_seen(character: str) -> bool:
    return character.isprintable() and character not in _BLANK


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _marks_before(text: str, position: int) -> int:
    """Number of combining marks directly before `position`, counted only up to the limit."""
    first = max(0, position - MOST_MARKS)
    count = 0
    while position - count > first and _is_mark(text[position - count - 1]):
        count += 1
    return count
