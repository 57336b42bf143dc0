"""What a tool call is called."""

import shlex
from collections.abc import Sequence

SHELLS = frozenset({"bash", "sh", "zsh"})


def command_text(command: Sequence[str]) -> str:
    """A command as a person would type it: the script of `bash -lc SCRIPT`, else the quoted words."""
    match list(command):
        case [shell, "-c" | "-lc", script] if shell.rsplit("/", 1)[-1] in SHELLS:
            return script
        case words:
            return shlex.join(words)


def command_title(command: Sequence[str]) -> str:
    """The command in backticks, enough of them for the backticks it has itself."""
    text = command_text(command)
    fence = "`"
    while fence in text:
        fence += "`"
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}"
