"""Recognises commands that only read, whatever their arguments, and need no approval.

A command counts only if this is certain. Names are taken literally: `./ls` is any program, while
`ls` is the one that `tools.program_lookup` found on PATH.
"""

import re
from collections.abc import Iterable
from enum import IntEnum

from code_core.lazy_pattern import lazy_pattern
from code_core.safety.shell_words import Words

READERS = frozenset("cat cd echo false grep head ls nl pwd tail true wc which".split())
# Options of `find` that write, delete or run something; they cannot be abbreviated.
_FIND_ACTS = frozenset(
    {"-delete", "-exec", "-execdir", "-ok", "-okdir", "-fls", "-fprint", "-fprint0", "-fprintf"}
)
_RG_RUNS = ("--pre", "--hostname-bin", "--search-zip", "-z")
_GIT_READERS = frozenset({"status", "log", "diff", "show"})
# An allow list, because git accepts any unambiguous abbreviation of a long option.
_GIT_OPTION = (
    r"-\d+|-[abpqsuwvzMC]|-n\d*|-U\d+|-[SGL].*|--(?:all|branches|tags|remotes|oneline|graph|decorate|stat|shortstat"
    r"|numstat|summary|name-only|name-status|cached|staged|short|long|branch|porcelain(?:=v[12])?|patch|no-patch"
    r"|no-color|color|reverse|follow|merges|no-merges|first-parent|abbrev-commit|word-diff|ignore-all-space"
    r"|ignore-space-change|ignore-blank-lines|no-renames|no-ext-diff|no-textconv|unified=\d+|max-count=\d+"
    r"|(?:since|until|after|before|author|committer|grep|date|diff-filter)=.*|(?:format|pretty)=(?!.*%G).*)"
)
_GIT_BRANCH = frozenset(
    {"--show-current", "--list", "--all", "--remotes", "-a", "-l", "-r", "-v", "-vv", "--no-color"}
)
_SED_LINES = lazy_pattern(r"\d+(?:,\d+)?p", re.ASCII)


class Reading(IntEnum):
    """Whether commands only read, strongest statement last.

    Attributes:
        WHEN_CONFINED: they read, but also run programs named in a repository's settings: `git status`
            runs `core.fsmonitor` and filters, `git diff` textconv.
    """

    NO = 0
    WHEN_CONFINED = 1
    ALWAYS = 2


def reading(commands: Iterable[Words] | None) -> Reading:
    """Return whether all of `commands` only read; NO for None or an empty list."""
    return min(map(_reading, commands or ()), default=Reading.NO)


def _reading(words: Words) -> Reading:
    if words[:1] == ("git",):
        return Reading.WHEN_CONFINED if _git_reads(words[1:]) else Reading.NO
    return Reading.ALWAYS if _only_reads(words) else Reading.NO


def _git_reads(words: Words) -> bool:
    match words:
        case ["branch", *options]:
            return _GIT_BRANCH.issuperset(options)
        case [subcommand, *arguments] if subcommand in _GIT_READERS:
            return all(_is_harmless_to_git(argument) for argument in arguments)
        case _:
            return False


def _only_reads(words: Words) -> bool:
    match words:
        case ["find", *arguments]:
            return not _FIND_ACTS.intersection(arguments) and "-files0-from" not in arguments
        case ["rg", *arguments]:
            return not any(_runs_with_rg(argument) for argument in arguments)
        case ["sed", "-n", lines] | ["sed", "-n", lines, _]:
            return bool(_SED_LINES.fullmatch(lines)) and not words[-1].startswith("-")
        case [name, *_]:
            return name in READERS
        case _:
            return False


def _runs_with_rg(argument: str) -> bool:
    if argument.startswith("--"):
        return argument.partition("=")[0] in _RG_RUNS
    return argument.startswith("-") and "z" in argument


def _is_harmless_to_git(argument: str) -> bool:
    return (
        not argument.startswith("-")
        or argument == "--"
        or bool(re.fullmatch(_GIT_OPTION, argument, re.ASCII | re.DOTALL))
    )
