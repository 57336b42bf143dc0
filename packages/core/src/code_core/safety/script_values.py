"""Collects what a script defines for its own commands: variables, aliases, arguments and the output of `echo`."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.expansion import SUBSTITUTIONS, Values, is_name, newest
from code_core.safety.normal_form import program
from code_core.safety.script import Script
from code_core.safety.shell_output import PRINTING, printed

ASSIGNMENT = lazy_pattern(r"(?P<name>[A-Za-z_]\w*)(?:\[[^]]*\])?(?P<operator>\+?=)")

_DECLARING = frozenset({"declare", "env", "export", "local", "readonly", "sudo", "typeset"})
_READING = frozenset({"mapfile", "read", "readarray"})
_SUBSCRIPT = lazy_pattern(r"(?:^|(?<=\s))\[[^]\s]*\]=")  # of an array element, as in `x=([a]=git)`
# Commands whose arguments are not read by a shell.
_SILENT = frozenset({"git", "grep", "rg"})
_MOST_FUNCTIONS = 64


class Definitions:
    """Collects the definitions in the scripts of one command."""

    def __init__(self) -> None:
        self.values = Values()
        self._aliases: defaultdict[str, list[str]] = defaultdict(list)

    def aliases(self, name: str) -> list[str]:
        """Return the texts that `name` may stand for."""
        return self._aliases.get(name, [])

    def gather(self, script: Script) -> None:
        """Collect the definitions in `script`."""
        shifts = any(words[0] == "shift" for words in script.commands)
        functions = {words[0] for words in script.commands if len(words) == 1}
        for words in script.commands:
            if words[0] in functions and len(functions) <= _MOST_FUNCTIONS:
                for start in range(2 if shifts else 1, 0, -1):
                    self.values.add("@", shlex.join(words[start:]))
        for words in script.commands:
            self._gather(words, script)
        for document in script.documents:
            self.values.add(SUBSTITUTIONS[0], document)

    def _gather(self, words: Sequence[str], script: Script) -> None:
        name = program(words)
        leading = name in _DECLARING or "=" in words[0]
        for word in words:
            found = ASSIGNMENT.match(word)
            if found and leading:
                value = _SUBSCRIPT.sub("", word[found.end() :])
                self.values.assign(found["name"], found["operator"], value)
            elif found and name == "alias":
                self._aliases[found["name"]].append(word[found.end() :])
        words = list(dropwhile(ASSIGNMENT.match, words)) or words  # `IFS=: read x`
        name = program(words)
        match list(words):
            case ["hash", "-p", path, alias]:
                self._aliases[alias].append(path)
            case [variable, "in", *members] if is_name(variable):
                for member in members:
                    self.values.assign(variable, "=", member)
            case ["set", *arguments]:
                self.values.add("@", shlex.join(word for word in arguments if word != "--"))
            case ["printf", "-v", variable, *arguments]:
                for text in printed(arguments):
                    self.values.add(variable, text)
            case _ if name in _READING:
                outputs = [*script.documents, *self.values.of(SUBSTITUTIONS[0])]
                parts = newest(chain.from_iterable(map(self._parts, outputs)))
                for variable in filter(is_name, words[1:]):
                    for part in parts:
                        self.values.add(variable, part)
            case _ if name in PRINTING:
                for text in printed(words[1:]):
                    for value in self.values.texts(text):
                        self.values.add(SUBSTITUTIONS[0], value)

    def _parts(self, text: str) -> Iterator[str]:
        """The values that a variable may get when `read` or `mapfile` reads `text`."""
        yield text
        yield from text.splitlines()
        yield from text.split()
        yield from self.values.fields(text).split()


def passed_texts(words: Sequence[str], assigned: Sequence[str]) -> list[str]:
    """Return the texts that a command may pass on, including those it assigns."""
    if words and program(words) in _SILENT:
        return []
    texts = [*assigned, *words[1:]]
    values = [ASSIGNMENT.sub("", word, count=1) for word in texts]
    prints = printed(words[1:]) if words and program(words) in PRINTING else []
    return [*texts, *values, *prints, " ".join(words[1:])]
