"""What a command does, in a word, for frontends that group and fold: it reads, lists, searches, or nobody knows.

Only for display. A command counts as a reader here just when it is one in `known_safe`,
so that nothing that changes something is ever folded away as a look at a file.

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
    """One entry for each command of `argv`; one `unknown` for all where they cannot all be told."""
    commands = plain_commands(argv) or ()
    if reading(commands) is Reading.NO:
        return [UnknownCommand(cmd=shlex.join(argv))]
    parsed = [_parsed(words) for words in commands]
    telling = [one for one, words in zip(parsed, commands, strict=True) if not _only_joins(words)]
    return telling or parsed


def _only_joins(words: Words) -> bool:
    """Whether it only moves or filters: `cd there`, or `head -5` behind a pipe."""
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
