"""Classifies commands for frontends that group and fold them: reading, listing, searching, or unknown.

For display only. A command counts as reading only if it is in `known_safe`, so a command that
changes something is never folded away as a look at a file.

Source of the forms: `parsed_cmd` of Codex's `exec_command_begin`.
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
from code_core.safety.known_safe import Reading, reading
from code_core.safety.shell_words import Words, plain_commands

_JOINERS = frozenset({"cd", "echo", "true", "false", "wc", "head", "tail"})


def parsed_command(argv: Sequence[str]) -> list[ParsedCommand]:
    """Return one entry for each command of `argv`, or a single `unknown` if they cannot all be determined."""
    commands = plain_commands(argv) or ()
    if reading(commands) is Reading.NO:
        return [UnknownCommand(cmd=shlex.join(argv))]
    parsed = [_parsed(words) for words in commands]
    telling = [one for one, words in zip(parsed, commands, strict=True) if not _only_joins(words)]
    return telling or parsed


def _only_joins(words: Words) -> bool:
    """Whether it only changes directory or filters: `cd there`, or `head -5` after a pipe."""
    operands = [word for word in words[1:] if not word.startswith("-") and not word.isdecimal()]
    return words[0] in {"cd", "true", "echo"} or (words[0] in _JOINERS and not operands)


def _parsed(words: Words) -> ParsedCommand:
    cmd = shlex.join(words)
    operands = [word for word in words[1:] if not word.startswith("-")]
    match words[0], operands:
        case "cat" | "nl" | "head" | "tail" | "sed", [*_, path] if not path.isdecimal():
            return ReadCommand(cmd=cmd, name=path.rstrip("/").rsplit("/", 1)[-1], path=path)
        case "ls" | "find", _:
            return ListFilesCommand(cmd=cmd, path=operands[0] if operands else None)
        case "rg", _ if "--files" in words:
            return ListFilesCommand(cmd=cmd, path=operands[0] if operands else None)
        case "rg" | "grep", [query, *paths]:
            return SearchCommand(cmd=cmd, query=query, path=paths[0] if paths else None)
        case _:
            return UnknownCommand(cmd=cmd)
