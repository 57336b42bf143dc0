"""One-line titles for tool calls: commands, tools and files."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from code_core.view.visible import visible

SHELLS = frozenset(
    f"{folder}{name}" for folder in ("", "/bin/", "/usr/bin/") for name in ("bash", "sh", "zsh")
)
LONGEST_TITLE = 2_000
"""Characters of a title; the number of omitted ones is shown."""


def shell_script(command: Sequence[str]) -> tuple[str, str] | None:
    """Return the words before the script, and the script, of `bash -lc SCRIPT`; None for other commands.

    A shell must be a bare name or a path in a system directory: `./bash` could be any program.
    """
    match list(command):
        case [shell, "-c" | "-lc" as option, script] if shell in SHELLS:
            return f"{shell} {option}", script
        case _:
            return None


def command_lines(command: Sequence[str]) -> list[str]:
    """Return the complete command with all characters visible: a shell's script, or else the quoted words."""
    script = shell_script(command)
    text = script[1] if script is not None else shlex.join(command)
    return [visible(line) for line in text.split("\n")]


def command_text(command: Sequence[str]) -> str:
    """Return the complete command on one line."""
    script = shell_script(command)
    return visible(script[1] if script is not None else shlex.join(command))


def tool_text(server: str, tool: str, arguments: Mapping[str, Any] | None) -> str:
    """Return a call of an MCP server's tool, on one line."""
    return f"{visible(server)}: {visible(tool)} {visible(json.dumps(arguments or {}, ensure_ascii=False))}"


def command_title(command: Sequence[str]) -> str:
    """Return the command in backticks, as a Markdown title."""
    return in_backticks(shortened(command_text(command)))


def in_backticks(text: str) -> str:
    """Return `text` as Markdown code, with more backticks around it than it contains."""
    fence = "`"
    while fence in text:
        fence += "`"
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def shortened(text: str) -> str:
    """Return `text`, or its beginning and the number of omitted characters."""
    if len(text) <= LONGEST_TITLE:
        return text
    return f"{text[:LONGEST_TITLE]} … {len(text) - LONGEST_TITLE:,} more characters"
