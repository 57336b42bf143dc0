"""Parses the options of a command.

Options are read as `getopt_long` does: short ones may share a word, and the rest of a word after
a letter that takes a value is that value; long ones may be abbreviated, and take their value
after `=` or in the next word.
"""

from collections.abc import Iterator, Sequence

from code_core.frozen import frozen


@frozen
class Options:
    """The options of one program.

    Attributes:
        valued: letters of short options that take a value.
        valued_long: names of long options (without dashes) that take a value.
        flags: letters of short options without a value.
        flags_long: names of long options without a value, or whose value only follows `=`.
    """

    valued: str = ""
    valued_long: frozenset[str] = frozenset()
    flags: str = ""
    flags_long: frozenset[str] = frozenset()

    def end(self, words: Sequence[str]) -> int | None:
        """Return the index of the first word that is neither an option nor a value, or None if an option is unknown."""
        at = 0
        while at < len(words):
            word = words[at]
            if word == "--":
                return at + 1
            if not word.startswith("-") or word == "-":
                return at
            took = self._takes(word)
            if took is None:
                return None
            at += took
        return at

    def _takes(self, word: str) -> int | None:
        """The number of words that the option `word` uses, or None if it is unknown."""
        if word.startswith("--"):
            name, equals, _ = word[2:].partition("=")
            if equals:
                return 1
            valued = any(option.startswith(name) for option in self.valued_long)
            flag = any(option.startswith(name) for option in self.flags_long)
            return None if valued == flag else 1 + valued
        for index, letter in enumerate(word[1:], 1):
            if letter in self.valued:
                return 1 if index < len(word) - 1 else 2
            if letter not in self.flags:
                return None
        return 1


def long_names(names: str) -> frozenset[str]:
    """Split names at blanks."""
    return frozenset(names.split())


def present(words: Sequence[str], options: Options) -> Iterator[tuple[str, bool, str | None]]:
    """Yield each option among `words` before `--`: its name, whether it is a long one, and its value.

    A short option is given as its letter, a long one as written, without dashes. Unknown options
    count as flags.
    """
    at = 0
    while at < len(words) and words[at] != "--":
        word, after = words[at], words[at + 1] if at + 1 < len(words) else None
        at += 1
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and any(option.startswith(name) for option in options.valued_long):
                at += 1
                yield name, True, after
            else:
                yield name, True, value if equals else None
        elif word.startswith("-"):
            for index, letter in enumerate(word[1:], 1):
                if letter in options.valued:
                    at += index == len(word) - 1
                    yield letter, False, word[index + 1 :] or after
                    break
                yield letter, False, None


def has(words: Sequence[str], short: str, long: str = "", *, valued: str = "", valued_long: str = "") -> bool:
    """Whether one of the options `short` (letters) or `long` (names) is among `words`, possibly abbreviated."""
    names = long.split()
    for name, spelled_long, _ in present(words, Options(valued, long_names(valued_long))):
        if any(full.startswith(name) for full in names) if spelled_long else name in short:
            return True
    return False
