"""Reads what a command does, so that a frontend can show "Read main.py" for `cat src/main.py`.

For display only. A command that leaves any doubt is `unknown`, whole.
"""

import shlex
from collections.abc import Sequence

from code_core.protocol.parsed_command import (
    ListFilesCommand,
    ParsedCommand,
    ReadCommand,
    SearchCommand,
    UnknownCommand,
)
from code_core.safety.shell_words import Words, plain_commands, script_of

MOST_CHARACTERS = 8_192

# Options that take the next word as their value.
_READERS: dict[str, frozenset[str]] = {
    "bat": frozenset(),
    "batcat": frozenset(),
    "cat": frozenset(),
    "head": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "less": frozenset(),
    "more": frozenset(),
    "nl": frozenset({"-b", "-v", "-w", "-s", "-n"}),
    "tail": frozenset({"-n", "-c", "--lines", "--bytes"}),
}
_LISTERS: dict[str, frozenset[str]] = {
    "eza": frozenset(),
    "exa": frozenset(),
    "ls": frozenset({"-I", "-w", "-T"}),
    "tree": frozenset({"-L", "-I", "-P"}),
}
_SEARCHERS: dict[str, frozenset[str]] = {
    "ag": frozenset({"-A", "-B", "-C", "-G", "-m"}),
    "egrep": frozenset({"-A", "-B", "-C", "-m"}),
    "fgrep": frozenset({"-A", "-B", "-C", "-m"}),
    "grep": frozenset({"-A", "-B", "-C", "-m"}),
    "rg": frozenset({"-A", "-B", "-C", "-g", "--glob", "-m", "-t", "--type", "-T", "--type-not"}),
}
# What only shortens or orders the output of the command before it in a pipe.
_FORMATTERS = frozenset({"head", "sort", "tail", "uniq", "wc"})
_NO_EFFECT = frozenset({"cd", "true"})


def parsed_command(argv: Sequence[str]) -> list[ParsedCommand]:
    """Each step that `argv` takes, in order; one `unknown` with all of it where a step is not understood."""
    script = script_of(argv)
    whole = script if script is not None else shlex.join(argv)
    unknown: list[ParsedCommand] = [UnknownCommand(cmd=whole)]
    if sum(map(len, argv)) > MOST_CHARACTERS:
        return unknown
    commands = plain_commands(argv)
    if not commands:
        return unknown
    steps: list[ParsedCommand] = []
    for words in commands:
        if words[0] in _NO_EFFECT or (
            steps and words[0] in _FORMATTERS and not _operands_of_formatter(words)
        ):
            continue
        step = _step(words)
        if step is None:
            return unknown
        steps.append(step)
    return steps or unknown


def _operands_of_formatter(words: Words) -> list[str]:
    return _operands(words, _READERS.get(words[0], frozenset({"-k", "-t"})))


def _step(words: Words) -> ParsedCommand | None:
    name, cmd = words[0].rsplit("/", 1)[-1], shlex.join(words)
    if name in _READERS:
        files = _operands(words, _READERS[name])
        return _read(cmd, files[0]) if len(files) == 1 else None
    if name == "sed":
        return _sed(words, cmd)
    if name in _LISTERS:
        paths = _operands(words, _LISTERS[name])
        return ListFilesCommand(cmd=cmd, path=paths[0] if len(paths) == 1 else None)
    if name == "rg" and "--files" in words:
        paths = _operands(words, _SEARCHERS[name])
        return ListFilesCommand(cmd=cmd, path=paths[0] if len(paths) == 1 else None)
    if name in _SEARCHERS:
        return _search(cmd, _operands(words, _SEARCHERS[name]))
    return _git(words, cmd) if name == "git" else None


def _read(cmd: str, path: str) -> ReadCommand:
    return ReadCommand(cmd=cmd, name=path.rstrip("/").rsplit("/", 1)[-1], path=path)


def _sed(words: Words, cmd: str) -> ParsedCommand | None:
    """`sed -n 1,20p FILE`, the one use of sed that only reads."""
    match words:
        case (_, "-n", lines, path) if lines.endswith("p") and set(lines[:-1]) <= set("0123456789,$"):
            return _read(cmd, path)
        case _:
            return None


def _search(cmd: str, operands: list[str]) -> SearchCommand | None:
    match operands:
        case [query]:
            return SearchCommand(cmd=cmd, query=query)
        case [query, path]:
            return SearchCommand(cmd=cmd, query=query, path=path)
        case [query, *_]:
            return SearchCommand(cmd=cmd, query=query)
        case _:
            return None


def _git(words: Words, cmd: str) -> ParsedCommand | None:
    match words:
        case (_, "grep", *_):
            return _search(cmd, _operands(words[1:], _SEARCHERS["grep"]))
        case (_, "ls-files", *_):
            paths = _operands(words[1:], frozenset())
            return ListFilesCommand(cmd=cmd, path=paths[0] if len(paths) == 1 else None)
        case _:
            return None


def _operands(words: Words, valued: frozenset[str]) -> list[str]:
    """The words that are no options and no values of options."""
    operands: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        if word == "--":
            operands += rest
        elif word in valued:
            next(rest, None)
        elif not word.startswith("-") or word == "-":
            operands.append(word)
    return operands
