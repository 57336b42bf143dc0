"""Computes possible expansions of a script's words: braces, variables and substitutions with visible values.

It finds possible values, not the actual one: if a variable is assigned twice, or a word might or might
not be split, each possibility counts. Anything the script does not show (the environment, files, the
output of programs) expands to itself or to nothing.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import chain, islice, product

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.script import TooComplexError

MOST_VARIANTS = 64
MOST_VALUES = 8
LONGEST_VALUE = 4_096
MOST_NESTED = 3
MOST_EXPANDED = 2**18
LONGEST_MATCHED = 255

SUBSTITUTIONS = ("$(…)", "`…`")
"""How the reader represents a command substitution."""

_TOO_MUCH = "the command expands to too much to be understood"
_BRACES = lazy_pattern(r"(?<!\$)\{([^{}]*(?:,|\.\.)[^{}]*)\}")
_RANGE = lazy_pattern(r"(\w)\.\.(\w)")
_EXPANSION = lazy_pattern(
    r"\$\(…\)|`…`|\$(?:(?P<name>[A-Za-z_]\w*|[0-9@*#?!$-])|\{!?(?P<braced>\w+|[@*])(?:\[[^]]*\])?(?P<how>[^{}]*)\})"
)
_MASKED = str.maketrans("$`", "\ue000\ue001")
_UNMASKED = str.maketrans("\ue000\ue001", "$`")
_NAME = lazy_pattern(r"[A-Za-z_]\w*")
_DEFAULTS = lazy_pattern(r":?[-=+?]")


class Values:
    """The possible values of each variable in a script; `$(…)` stands for every substitution."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, None]] = {"IFS": {" ": None}}

    def add(self, name: str, value: str) -> None:
        """Record `value` as a possible value of `name`."""
        values = self._values.setdefault(name, {})
        if len(value) <= LONGEST_VALUE:
            values.pop(value, None)  # the last assignment is the most likely
            values[value] = None
            if len(values) > MOST_VALUES:
                del values[next(iter(values))]

    def of(self, name: str) -> list[str]:
        """Return the values of `name`, newest first."""
        return list(reversed(self._values.get(name, {})))

    def shown(self, name: str) -> bool:
        """Whether the script shows a value of `name`."""
        return any(self.of("@" if name == "*" or name.isdigit() else name))

    def _masked(self, name: str) -> list[str]:
        return [value.translate(_MASKED) for value in self.of(name)]

    def assign(self, name: str, operator: str, text: str) -> None:
        """Record an assignment `NAME=TEXT` or `NAME+=TEXT`, expanding the variables in it."""
        for value in self.texts(text):
            if operator == "+=":
                for before in self.of(name):
                    self.add(name, before + value)
            self.add(name, value)

    def texts(self, text: str) -> list[str]:
        """Return the possible expansions of `text`, without word splitting.

        Raises:
            TooComplexError: it may expand to more than 256 KiB.
        """
        texts = [text]
        for _ in range(MOST_NESTED):  # innermost first; values are not expanded again
            texts = [
                "".join(parts) for one in texts for parts in islice(product(*self._parts(one)), MOST_VALUES)
            ][:MOST_VALUES]
        return [one.translate(_UNMASKED) for one in texts]

    def _parts(self, text: str) -> Iterator[list[str]]:
        at = longest = 0
        for expansion in _EXPANSION.finditer(text):
            yield [text[at : expansion.start()]]
            alternatives = self._alternatives(expansion)
            longest += max(map(len, alternatives))
            if longest > MOST_EXPANDED:
                raise TooComplexError(_TOO_MUCH)
            yield alternatives
            at = expansion.end()
        yield [text[at:]]

    def _alternatives(self, expansion: re.Match[str]) -> list[str]:
        if expansion[0] in SUBSTITUTIONS:
            return [*self._masked(SUBSTITUTIONS[0]), ""]
        name, how = expansion["name"] or expansion["braced"], expansion["how"] or ""
        values = self._masked("@" if name == "*" or name.isdigit() else name)
        if name.isdigit():  # `shift` may have moved it
            values += [word for value in values for word in value.split()]
        if "{!" in expansion[0]:
            values = [inner for value in values for inner in self._masked(value)]
        if default := _DEFAULTS.match(how):
            default_value = re.sub("[\"']", "", how[default.end() :])
            unset = [""] if "+" in default[0] else []
            return [*values, default_value, *unset] if "?" not in default[0] else values or [""]
        return [_modified(value, how) for value in values] if values else [""]

    def fields(self, text: str) -> str:
        """`text` with spaces where word splitting separates it."""
        separators = "".join(self.of("IFS"))
        return re.sub(f"[{re.escape(separators)}\\s]", " ", text)


def _modified(value: str, how: str) -> str:
    """`value` after `${X:1:2}`, `${X#…}`, `${X%…}`, `${X/a/b}` or a case change; unchanged after others."""
    match how[:1], how[1:]:
        case ":", bounds:
            numbers = [
                int(number or 0) for number in bounds.split(":") if re.fullmatch(r"(?: ?-?\d{1,6})?", number)
            ]
            start = numbers[0] if numbers else 0
            rest = value[start:]
            return rest[: numbers[1]] if len(numbers) > 1 else rest
        case "#", pattern:
            ends = range(len(value) + 1)
            pattern, longest = pattern.removeprefix("#"), pattern.startswith("#")
            cuts = (
                [end for end in ends if fnmatchcase(value[:end], pattern)]
                if _is_short(value, pattern)
                else []
            )
            return value[(max if longest else min)(cuts) :] if cuts else value
        case "%", pattern:
            starts = range(len(value) + 1)
            pattern, longest = pattern.removeprefix("%"), pattern.startswith("%")
            cuts = (
                [start for start in starts if fnmatchcase(value[start:], pattern)]
                if _is_short(value, pattern)
                else []
            )
            return value[: (min if longest else max)(cuts)] if cuts else value
        case "/", rest:
            old, _, new = rest.removeprefix("/").partition("/")
            match old[:1], old[1:]:
                case "#", prefix if value.startswith(prefix):
                    return new + value[len(prefix) :]
                case "%", suffix if value.endswith(suffix):
                    return value[: len(value) - len(suffix)] + new
                case _:
                    if not old:
                        return value
                    return value.replace(old, new) if rest.startswith("/") else value.replace(old, new, 1)
        case "^", rest:
            return value.upper() if rest else value[:1].upper() + value[1:]
        case ",", rest:
            return value.lower() if rest else value[:1].lower() + value[1:]
        case "~", rest:
            return value.swapcase() if rest else value[:1].swapcase() + value[1:]
        case _:
            return value


def _is_short(value: str, pattern: str) -> bool:
    """Whether it takes little time to try the pattern at every position."""
    return max(len(value), len(pattern)) <= LONGEST_MATCHED


def variants(words: Sequence[str], values: Values) -> Iterator[list[str]]:
    """Yield the possible expansions of `words`, without `words` itself unless it expands to itself.

    Expansions without a known value vanish: `r${x}m` is `rm`.
    """
    if not any("$" in word or "`" in word or "{" in word for word in words):
        return
    choices = [_fields(word, values) for word in words]
    for chosen in islice(product(*choices), MOST_VARIANTS):
        yield [field for fields in chosen for field in fields]


def _fields(word: str, values: Values) -> list[list[str]]:
    """The possible expansions of a word to a list of words: split, or as one word if it was quoted."""
    ways = [
        [way for text in values.texts(one) for way in _split(values.fields(text).split(), text)]
        if _EXPANSION.search(one)
        else [[one]]
        for one in braced(word)
    ]
    return [list(chain.from_iterable(chosen)) for chosen in islice(product(*ways), 2 * MOST_VALUES)]


def _split(fields: list[str], text: str) -> list[list[str]]:
    return [fields, [text]] if len(fields) > 1 else [fields]


def braced(word: str) -> list[str]:
    """Return the words that brace expansion makes of `word`; groups that would make too many words stay.

    Raises:
        TooComplexError: one group makes more than 256 KiB.
    """
    waiting = [word]
    done: list[str] = []
    for _ in range(MOST_VARIANTS):
        if not waiting or len(waiting) + len(done) > MOST_VARIANTS // 2:
            break
        one = waiting.pop(0)
        group = _BRACES.search(one)
        if group is None:
            done.append(one)
        else:
            members = _members(group[1])
            if len(members) * len(one) > MOST_EXPANDED:
                raise TooComplexError(_TOO_MUCH)
            waiting[:0] = [one[: group.start()] + inner + one[group.end() :] for inner in members]
    return [*done, *waiting]


def _members(text: str) -> list[str]:
    if "," in text:
        return text.split(",")
    if (ends := _RANGE.fullmatch(text)) is None:
        return [text]
    first, last = ord(ends[1]), ord(ends[2])
    step = 1 if first <= last else -1
    return [chr(code) for code in islice(range(first, last + step, step), MOST_VALUES)]


def newest(values: Iterable[str]) -> list[str]:
    """Return those of `values` that remain when all of them are recorded for one variable."""
    last = dict.fromkeys(value for value in reversed([*values]) if len(value) <= LONGEST_VALUE)
    return list(reversed([*islice(last, MOST_VALUES)]))


def is_name(word: str) -> bool:
    """Whether `word` is a valid variable name."""
    return bool(_NAME.fullmatch(word))
