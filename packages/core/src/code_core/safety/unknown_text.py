"""Detects scripts that run program text they do not show: from a pipe, a variable or another program.

For example `curl … | sh`, `base64 -d | python3`, `eval "$(…)"` or `sh <(…)`: such text may contain what guards
and rules are about, and cannot be examined. A script file counts as shown, because it can be read before it runs.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, dropwhile, pairwise

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.expansion import SUBSTITUTIONS
from code_core.safety.git_commands import GIT_COMMANDS
from code_core.safety.normal_form import normal_form, program
from code_core.safety.options import Options, long_names
from code_core.safety.script import PROCESS, Script
from code_core.safety.script_values import ASSIGNMENT
from code_core.safety.shell_output import PRINTING
from code_core.safety.shell_reader import read_script
from code_core.safety.shell_words import KEYWORDS, SHELLS, Words
from code_core.safety.wrappers import WRAPPERS

_SHOWING = PRINTING | frozenset(
    ": [ cd declare export false local mapfile read readarray set shift sleep tee test true xargs".split()
)
"""Commands whose output comes only from their arguments or input."""
_TAKE_LINES = frozenset({"at", "batch", "crontab"})
_READ_VARIABLES = frozenset({"mapfile", "read", "readarray"})
_STANDARD_INPUT = frozenset({"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
_READS_PROGRAM = lazy_pattern(
    r"python[\d.]*|pypy[\d.]*|perl[\d.]*|ruby[\d.]*|node|nodejs|bun|php[\d.]*|lua[\d.]*"
)
_OTHER_SHELLS = frozenset("ash csh fish mksh tcsh $0 $bash $shell ${bash} ${shell}".split())
_SUBSTITUTED = tuple((one,) for one in SUBSTITUTIONS)
_WORD = lazy_pattern(r"[a-z][a-z0-9-]*")
_PLACEHOLDERS = ("{}", "%", "@")
_EXPANDED = lazy_pattern(r"\$\{?!?(\w+|[@*])")
_LOGIN_OPTION = lazy_pattern(r"-\w*[si]|--(?:shell|login)")
_SHELL_SCRIPT = lazy_pattern(r"-\w*c")
_SHELL_OTHER = lazy_pattern(r"-\w*n\w*|--(?:version|help|dump-strings|pretty-print).*")
_SHELL_VALUED = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})
_PROGRAM_OPTION = lazy_pattern(
    r"-\w*[ceEmpVvhfFlnr].*|--(?:eval|print|check|test|run|version|help|require|import).*"
)


_LOGINS = {
    "chroot": Options("", long_names("userspec groups"), "", long_names("skip-chdir")),
    "ssh": Options("bcDEeFIiJLlmOopQRSWwB", frozenset(), "46AaCfGgKkMNnqsTtVvXxYy", frozenset()),
}
"""Programs that start a shell when only a host or a directory follows their options."""


def starts_a_shell(words: Sequence[str]) -> bool:
    """Whether a program such as `ssh`, `su` or `sudo -s` starts a shell that reads commands from standard input."""
    if not words:
        return False
    name, rest = program(words), list(words[1:])
    if options := _LOGINS.get(name):
        end = options.end(rest)
        return end is not None and len(rest) == end + 1
    operands = [word for word in rest if not word.startswith("-")]
    bare = [word for word in rest if _LOGIN_OPTION.fullmatch(word)]
    match name:
        case "sudo" | "doas":
            if bare and not operands:
                return True
            return any(
                starts_a_shell(words[at:]) for at, word in enumerate(words) if word in {"chroot", "ssh", "su"}
            )
        case "su" | "newgrp":
            return len(operands) <= 1 and not any(re.match(r"-\w*c|--command", word) for word in rest)
        case _:
            return False


def runs_unknown_text(script: Script, known: Callable[[str], bool]) -> bool:
    """Whether `script` runs text it does not show; `known` says whether it shows a value of a variable."""
    commands = [_begun(words) for words in script.commands]
    opaque = [_is_opaque(words, known) for words in commands]
    before = [0, *accumulate(opaque)]
    hidden = any(opaque)
    computed = _computed_elsewhere(script) if hidden else frozenset()

    def begins_unknown(text: str) -> bool:
        return _begins_unknown(text, known, computed, hidden=hidden)

    return (
        any(
            before[stop] > before[start] and _runs_its_input(commands[at]) for start, stop, at in script.pipes
        )
        or (
            bool(script.documents)
            and any(map(_runs_its_input, commands))
            and any(map(begins_unknown, script.documents))
        )
        or any(
            is_git_alias(words)
            or _is_expanded(_subcommand_of_git(words), known, computed)
            or (hidden and (_reads_a_substitution(words) or words[:1] in _SUBSTITUTED))
            or any(map(begins_unknown, _texts(words)))
            or any(
                _is_expanded(text, known, computed) or (hidden and text in SUBSTITUTIONS)
                for text in _programs(words)
            )
            or (len(words) == 1 and _name_in(words[0]) in computed)
            for words in commands
        )
    )


def is_git_alias(words: Sequence[str]) -> bool:
    """Whether it is an unknown subcommand of git: an alias, or an additional program."""
    subcommand = _subcommand_of_git(words)
    return bool(_WORD.fullmatch(subcommand)) and subcommand not in GIT_COMMANDS


def _subcommand_of_git(words: Sequence[str]) -> str:
    """The subcommand of git, even behind a wrapper; empty for other commands."""
    if words and program(words) in WRAPPERS:
        words = words[next((at for at, word in enumerate(words) if word == "git"), len(words)) :]
    form = normal_form(tuple(words) or ("",))
    return form[1] if form[0] == "git" and len(form) > 1 else ""


def _is_opaque(words: Words, known: Callable[[str], bool]) -> bool:
    """Whether the output of the command cannot be predicted from its arguments."""
    if not words or words == ("…",) or words[:1] in _SUBSTITUTED:  # how the reader represents a substitution
        return False
    name = program(words)
    if name in PRINTING:
        return any((variable := _name_in(word)) and not known(variable) for word in words[1:])
    if name in {"cat", "paste"}:
        return any(not word.startswith("-") for word in words[1:])
    return name not in _SHOWING


def _is_expanded(text: str, known: Callable[[str], bool], computed: frozenset[str]) -> bool:
    """Whether `text` is only a variable that the script does not show."""
    name = _name_in(text)
    return bool(name) and text in {f"${name}", f"${{{name}}}"} and (name in computed or not known(name))


def _computed_elsewhere(script: Script) -> frozenset[str]:
    """The variables that are assigned the output of other programs."""
    computed: set[str] = set()
    for words in script.commands:
        for word in words:
            found = ASSIGNMENT.match(word)
            value = word[found.end() :] if found else ""
            if found and (any(one in value for one in SUBSTITUTIONS) or _name_in(value) in computed):
                computed.add(found["name"])
        match _begun(words):
            case [variable, "in", *members] if not set(SUBSTITUTIONS).isdisjoint(members):
                computed.add(variable)
            case ["set", *members] if not set(SUBSTITUTIONS).isdisjoint(members):
                computed.add("@")
            case ["printf", "-v", variable, *members] if not set(SUBSTITUTIONS).isdisjoint(members):
                computed.add(variable)
            case [name, *variables] if name in _READ_VARIABLES:
                computed.update(filter(str.isidentifier, variables))
            case _:
                pass
    return frozenset(computed)


def _reads_a_substitution(words: Sequence[str]) -> bool:
    return PROCESS in words and (program(words) in {"source", "."} or any(True for _ in _interpreters(words)))


def _texts(words: Sequence[str]) -> Iterator[str]:
    """The arguments that a shell reads as program text."""
    if words and program(words) in {"eval", "trap"}:
        yield " ".join(words[1:])
    for _, rest in _interpreters(words, shells_only=True):
        for option, text in pairwise(rest):
            if _SHELL_SCRIPT.fullmatch(option):
                yield text


def _programs(words: Sequence[str]) -> Iterator[str]:
    """The arguments that an interpreter reads as a program."""
    for _, rest in _interpreters(words):
        for option, text in pairwise(rest):
            if re.fullmatch(r"-\w*[cerE]|--eval", option):
                yield text


def _begins_unknown(
    text: str, known: Callable[[str], bool], computed: frozenset[str], *, hidden: bool
) -> bool:
    """Whether a command in `text` begins with an expansion that the script does not show."""
    if "$" not in text and "`" not in text:
        return False
    for words in map(_begun, read_script(text).commands):
        if words and words[0].startswith(SUBSTITUTIONS):
            if hidden:
                return True
        elif words and (name := _name_in(words[0])) and (name in computed or not known(name)):
            return True
    return False


def _runs_its_input(words: Sequence[str]) -> bool:
    """Whether a command reads commands or a program from standard input."""
    if not words:
        return False
    name = program(words)
    if name in {"source", "."}:
        return not _STANDARD_INPUT.isdisjoint(words)
    if name in {"awk", "gawk", "make", "mawk"}:
        return "-f-" in words or ("-f", "-") in pairwise(words)
    if name == "parallel":
        return all(word.startswith("-") for word in words[1:])
    if name in _TAKE_LINES or starts_a_shell(words):
        return True
    if name == "xargs":
        if _SHELL_SCRIPT.fullmatch(words[-1]) and any(True for _ in _interpreters(words, shells_only=True)):
            return True
        return any(word in _PLACEHOLDERS for word in words[-1:] if _after_option(words)) or any(
            text.startswith(_PLACEHOLDERS) for text in _texts(words)
        )
    return any(
        _shell_reads(rest) if found in SHELLS else _interpreter_reads(rest)
        for found, rest in _interpreters(words)
    )


def _after_option(words: Sequence[str]) -> bool:
    """Whether the last word is the whole command of `xargs`, because an option and its value precede it."""
    return len(words) > 2 and (words[-2].startswith("-") or words[-3].startswith("-"))


def _interpreters(words: Sequence[str], *, shells_only: bool = False) -> Iterator[tuple[str, Sequence[str]]]:
    """The shells and interpreters that the words start, even behind wrappers, with their arguments."""
    if not words:
        return
    for index in range(len(words) if program(words) in WRAPPERS else 1):
        name = program(words[index : index + 1])
        if name in _OTHER_SHELLS:
            yield "sh", words[index + 1 :]
        elif name in SHELLS or (not shells_only and _READS_PROGRAM.fullmatch(name)):
            yield name, words[index + 1 :]


def _shell_reads(rest: Sequence[str]) -> bool:
    """Whether a shell with these arguments reads commands from standard input."""
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


def _name_in(word: str) -> str:
    """The variable at the start of `word`."""
    found = _EXPANDED.match(word)
    return found[1] if found else ""


def _begun(words: Sequence[str]) -> Words:
    """The words from the command on, without assignments, keywords and their options."""
    return tuple(
        dropwhile(
            lambda word: word.startswith("-") or word in KEYWORDS or ASSIGNMENT.match(word) is not None, words
        )
    )
