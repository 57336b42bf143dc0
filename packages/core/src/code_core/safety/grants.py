"""What the user has allowed for a session: the keys under which it is remembered.

Each kind of action has a type of its own, so that a grant for one never covers
another that happens to have the same words.
"""

from dataclasses import dataclass
from pathlib import Path

from code_core.safety.shell_words import Words


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """A file or directory as it was when it was looked at.

    Attributes:
        path: symlinks resolved.
        sha256: of its contents, in hexadecimal; empty for a directory.
    """

    path: Path
    device: int
    inode: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CommandGrant:
    """One command, in one directory.

    Attributes:
        cwd: symlinks resolved.
        outside: it may run unconfined; a grant for the sandbox does not cover that, nor the reverse.
        files: for a command that runs unconfined, the files it names that other commands can change.
    """

    argv: Words
    cwd: Path
    outside: bool = False
    files: frozenset[FileIdentity] = frozenset()

    @property
    def contents(self) -> frozenset[tuple[Path, str]]:
        """The paths and checksums of its files, without their directories' and devices' identities."""
        return frozenset((file.path, file.sha256) for file in self.files if file.sha256)


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
