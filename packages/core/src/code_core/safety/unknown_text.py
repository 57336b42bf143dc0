"""Whether a script runs program text that it does not show: out of a pipe, a variable or another program.

`curl … | sh`, `base64 -d | python3`, `eval "$(…)"` or `sh <(…)`: what guards and rules are about
may be in there, and nobody can tell. A script file counts as shown: it can be looked at before it runs.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import dropwhile, pairwise

from code_core.safety.expansion import SUBSTITUTIONS
from code_core.safety.git_commands import GIT_COMMANDS
from code_core.safety.normal_form import normal_form, program
from code_core.safety.script_values import ASSIGNMENT
from code_core.safety.shell_output import PRINTING
from code_core.safety.shell_reader import Script, read_script
from code_core.safety.shell_words import KEYWORDS, SHELLS, Words
from code_core.safety.wrappers import WRAPPERS

_SHOWING = PRINTING | frozenset(
    ": [ cd declare export false local mapfile paste read readarray set shift sleep tee test true xargs".split()
)
"""What these print comes from their arguments or their input."""
_TAKE_LINES = frozenset({"at", "batch", "crontab"})
_READ_VARIABLES = frozenset({"mapfile", "read", "readarray"})
_STANDARD_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_READS_PROGRAM = re.compile(
    r"python[\d.]*|pypy[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|bun|php[\d.]*|lua[\d.]*"
)
_PLACEHOLDERS = ("{}", "%", "@")
_EXPANDED = re.compile(r"\$\{?!?(\w+|[@*])")
_SHELL_SCRIPT = re.compile(r"-\w*c")
_SHELL_OTHER = re.compile(r"-\w*n\w*|--(?:version|help|dump-strings|pretty-print).*")
_SHELL_VALUED = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})
_PROGRAM_OPTION = re.compile(
    r"-\w*[ceEmpVvhfFlnr].*|--(?:eval|print|check|test|run|version|help|require|import).*"
)


def runs_unknown_text(script: Script, known: Callable[[str], bool]) -> bool:
    """Whether `script` does; `known` tells whether it shows a value of a variable."""
    opaque = any(map(_is_opaque, script.commands))
    made = _made_elsewhere(script) if opaque else frozenset()
    return (
        any(_runs_its_input(words) and any(map(_is_opaque, left)) for left, words in script.pipes)
        or any(map(is_git_alias, script.commands))
        or (
            any(map(_runs_its_input, script.commands))
            and any(_begins_unknown(text, known, made, opaque=opaque) for text in script.documents)
        )
        or any(
            (opaque and _reads_a_substitution(words))
            or any(_begins_unknown(text, known, made, opaque=opaque) for text in _texts(words))
            or (len(words) == 1 and _name_in(words[0]) in made)
            for words in map(_begun, script.commands)
        )
    )


def _is_opaque(words: Sequence[str]) -> bool:
    """Whether what the command prints cannot be told from its arguments."""
    begun = _begun(words)
    if not begun:
        return False
    name = program(begun)
    return name not in _SHOWING and not (name == "cat" and set(begun[1:]) <= {"-"})


def _made_elsewhere(script: Script) -> frozenset[str]:
    """The variables that take what other programs print."""
    made: set[str] = set()
    for words in script.commands:
        for word in words:
            found = ASSIGNMENT.match(word)
            value = word[found.end() :] if found else ""
            if found and (any(one in value for one in SUBSTITUTIONS) or _name_in(value) in made):
                made.add(found["name"])
        begun = _begun(words)
        if begun and program(begun) in _READ_VARIABLES:
            made.update(word for word in begun[1:] if word.isidentifier())
    return frozenset(made)


def _reads_a_substitution(words: Sequence[str]) -> bool:
    return "<()" in words and (program(words) in {"source", "."} or any(True for _ in _interpreters(words)))


def _texts(words: Sequence[str]) -> Iterator[str]:
    """The arguments that a shell takes for program text."""
    if words and program(words) == "eval":
        yield " ".join(words[1:])
    for _, rest in _interpreters(words, shells_only=True):
        for option, text in pairwise(rest):
            if _SHELL_SCRIPT.fullmatch(option):
                yield text


def _begins_unknown(text: str, known: Callable[[str], bool], made: frozenset[str], *, opaque: bool) -> bool:
    """Whether a command in `text` begins with an expansion that the script does not show."""
    if "$" not in text and "`" not in text:
        return False
    for words in map(_begun, read_script(text).commands):
        if words and words[0].startswith(SUBSTITUTIONS):
            if opaque:
                return True
        elif words and (name := _name_in(words[0])) and (name in made or not known(name)):
            return True
    return False


def _runs_its_input(words: Sequence[str]) -> bool:
    """Whether a command takes its standard input for commands or a program."""
    words = _begun(words)
    if not words:
        return False
    name = program(words)
    if name == "parallel":
        return all(word.startswith("-") for word in words[1:])
    if name in _TAKE_LINES:
        return True
    if name == "xargs":
        return any(word in _PLACEHOLDERS for word in words[-1:] if _after_option(words)) or any(
            text.startswith(_PLACEHOLDERS) for text in _texts(words)
        )
    return any(
        _shell_reads(rest) if found in SHELLS else _interpreter_reads(rest)
        for found, rest in _interpreters(words)
    )


def _after_option(words: Sequence[str]) -> bool:
    """Whether the last word is the whole command of `xargs`: an option with its value comes right before it."""
    return len(words) > 2 and (words[-2].startswith("-") or words[-3].startswith("-"))


def _interpreters(words: Sequence[str], *, shells_only: bool = False) -> Iterator[tuple[str, Sequence[str]]]:
    """The shells and interpreters that the words begin, behind wrappers, too; with what comes after each."""
    if not words:
        return
    for place in range(len(words) if program(words) in WRAPPERS else 1):
        name = program(words[place : place + 1])
        if name in SHELLS or (not shells_only and _READS_PROGRAM.fullmatch(name)):
            yield name, words[place + 1 :]


def _shell_reads(rest: Sequence[str]) -> bool:
    """Whether a shell with these arguments reads its commands from standard input."""
    skip = False
    for word in rest:
        if skip:
            skip = False
        elif word in _STANDARD_INPUT or re.fullmatch(r"-\w*s\w*", word):
            return True
        elif _SHELL_SCRIPT.fullmatch(word) or _SHELL_OTHER.fullmatch(word):
            return False
        elif word in _SHELL_VALUED:
            skip = True
        elif not word.startswith(("-", "+")):
            return False
    return True


def _interpreter_reads(rest: Sequence[str]) -> bool:
    for word in rest:
        if word in _STANDARD_INPUT:
            return True
        if _PROGRAM_OPTION.fullmatch(word) or not word.startswith("-"):
            return False
    return True


def is_git_alias(words: Sequence[str]) -> bool:
    """Whether it is a subcommand of git that git does not have: an alias, or a program that was added to it."""
    form = normal_form(tuple(_begun(words)) or ("",))
    return form[0] == "git" and len(form) > 1 and _is_word(form[1]) and form[1] not in GIT_COMMANDS


def _is_word(text: str) -> bool:
    return bool(re.fullmatch(r"[a-z][a-z0-9-]*", text))


def _name_in(word: str) -> str:
    """The variable that `word` begins with."""
    found = _EXPANDED.match(word)
    return found[1] if found else ""


def _begun(words: Sequence[str]) -> Words:
    """The words from the command on: without assignments, keywords and their options."""
    return tuple(
        dropwhile(
            lambda word: word.startswith("-") or word in KEYWORDS or ASSIGNMENT.match(word) is not None, words
        )
    )
