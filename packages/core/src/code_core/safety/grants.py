"""What the user has allowed for a session: the keys under which it is remembered.

Each kind of action has a type of its own, so that a grant for one never covers
another that happens to have the same words.
"""

from dataclasses import dataclass
from pathlib import Path

from code_core.safety.shell_words import Words


@dataclass(frozen=True, slots=True)
class CommandGrant:
    """One command, in one directory.

    Attributes:
        outside: it may run outside of the sandbox; a grant for the inside does not cover that, nor the reverse.
    """

    argv: Words
    cwd: Path
    outside: bool = False


@dataclass(frozen=True, slots=True)
class ToolGrant:
    """One call of an MCP server's tool.

    Attributes:
        arguments: as JSON with sorted keys, so that equal arguments are equal text.
    """

    server: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class PathGrant:
    """Changes of one file, symlinks resolved."""

    path: Path


Grant = CommandGrant | ToolGrant | PathGrant
