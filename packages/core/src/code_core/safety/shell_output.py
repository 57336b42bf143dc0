"""Predicts the output of `echo` and `printf` from their arguments."""

import re
from collections.abc import Sequence

from code_core.lazy_pattern import lazy_pattern

PRINTING = frozenset({"echo", "printf"})

_ANSI_ESCAPE = lazy_pattern(
    r"\\(?:x(?P<x>[0-9a-fA-F]{1,2})|u(?P<u>[0-9a-fA-F]{1,4})|U(?P<U>[0-9a-fA-F]{1,8})"
    r"|(?P<octal>[0-7]{1,3})|c.|(?P<letter>.))",
    re.DOTALL,
)
_ANSI_LETTERS = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "v": "\v",
}


def printed(arguments: Sequence[str]) -> list[str]:
    """Return the possible outputs of `echo` or `printf`."""
    words = [word for word in arguments if not word.startswith("-")] or list(arguments)
    texts = [" ".join(words)]
    if words and "%" in words[0]:
        values = iter(words[1:])
        texts.append(re.sub(r"%[-\d.]*[sbqdc]", lambda _: next(values, ""), words[0]))
    return [decoded(text) if "\\" in text else text for text in texts]


def output(commands: Sequence[Sequence[str]]) -> str | None:
    """Return the word that a substitution of these commands becomes, or None if it is not a single printed word."""
    match [list(words) for words in commands]:
        case [[name, *arguments]] if name in PRINTING and arguments:
            text = printed(arguments)[-1]
            return text if text and not re.search(r"\s|%", text) else None
        case [["which", name] | ["command", "-v", name] | ["type", "-p" | "-P", name]]:
            return name
        case _:
            return None


def decoded(text: str) -> str:
    """Return `text` with the escapes of `$'…'`, `echo -e` and `printf` decoded."""

    def replaced(found: re.Match[str]) -> str:
        number = found["x"] or found["u"] or found["U"]
        if number is not None:
            value = int(number, 16)
            return chr(value) if value <= 0x10FFFF else ""
        if found["octal"] is not None:
            return chr(int(found["octal"], 8) & 0xFF)
        letter = found["letter"]
        return "" if letter is None else _ANSI_LETTERS.get(letter, letter)

    return _ANSI_ESCAPE.sub(replaced, text)
