"""Splits unambiguous shell scripts into their commands.

Only words that a POSIX shell takes literally are accepted: plain characters and quotes without
expansions, joined by `&&`, `||`, `;`, `|` and newlines. Anything else (variables, substitutions,
globs, redirections, groups, assignments, comments) makes the script undecidable here. For every
command that a script might run, see `statements`.
"""

import re
from collections.abc import Sequence

from code_core.lazy_pattern import lazy_pattern

Words = tuple[str, ...]

SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh"})
SYSTEM_DIRECTORIES = frozenset(
    "/bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin /opt/homebrew/bin /opt/homebrew/sbin /opt/local/bin "
    "/home/linuxbrew/.linuxbrew/bin /run/current-system/sw/bin /snap/bin".split()
)
"""Directories where operating systems and package managers install programs."""

# `^`, `{`, `}`, `~`, `!`, `#`, `=` at the start, and globs, are special in some shell.
_TOKEN = lazy_pattern(
    r"""(?P<blank>[ \t]+)"""
    r"""|(?P<join>&&|\|\||;|\||\n)"""
    r"""|(?P<word>(?:[\w%+,./:@-]|'[^'\0]*'|"[^"$`\\!\0]*")(?:[\w%+,./:@=-]|'[^'\0]*'|"[^"$`\\!\0]*")*)""",
    re.ASCII,
)
_QUOTED = lazy_pattern(r"""'([^']*)'|"([^"]*)"|([^'"]+)""")


def is_shell(name: str) -> bool:
    """Whether `name` is a shell: a bare name, or a path in a system directory.

    A bare name counts, because callers have looked it up (see `tools.program_lookup`).
    """
    folder, slash, base = name.rpartition("/")
    return base in SHELLS and (not slash or folder in SYSTEM_DIRECTORIES)


def script_of(argv: Sequence[str]) -> str | None:
    """Return the script if `argv` is a shell running a single script (`bash -lc SCRIPT`)."""
    match list(argv):
        case [shell, "-c" | "-lc" | "-cl", script] if is_shell(shell):
            return script
        case _:
            return None


def plain_commands(argv: Sequence[str]) -> tuple[Words, ...] | None:
    """Return the commands that `argv` runs, as words: `argv` itself, or those of its script.

    None if this is not certain.
    """
    script = script_of(argv)
    return (tuple(argv),) if script is None else split_plain(script)


def split_plain(script: str) -> tuple[Words, ...] | None:
    """Return the commands of a plain script, or None if it is not plain or has a dangling operator."""
    commands: list[Words] = []
    words: list[str] = []
    joined = ""
    position = 0
    while position < len(script):
        token = _TOKEN.match(script, position)
        if token is None:
            return None
        position = token.end()
        match token.lastgroup:
            case "word":
                words.append("".join(a or b or c for a, b, c in _QUOTED.findall(token["word"])))
            case "join" if words:
                commands.append(tuple(words))
                words, joined = [], token["join"]
            case "join" if token["join"] != "\n":
                return None
            case _:
                pass
    if words:
        commands.append(tuple(words))
    elif joined not in {"", ";", "\n"}:
        return None
    return tuple(commands) if all(_is_command(words[0]) for words in commands) else None


def _is_command(name: str) -> bool:
    """Whether `name` is neither an assignment nor a shell keyword."""
    return bool(name) and "=" not in name and name not in KEYWORDS


KEYWORDS = frozenset(
    "! [[ ]] { } case coproc do done elif else esac fi for function if in select then time until while".split()
)
"""Words that are shell grammar in command position."""
