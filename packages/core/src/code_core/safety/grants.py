"""Grants: what the user has allowed for a session.

Each kind of action has its own type, so that a grant for one never covers another with the
same words.
"""

from pathlib import Path

from code_core.frozen import frozen
from code_core.safety.shell_words import Words


@frozen
class FileIdentity:
    """A file or directory at the time it was examined.

    Attributes:
        path: with symlinks resolved.
        sha256: of its contents, in hexadecimal; empty for a directory.
    """

    path: Path
    device: int
    inode: int
    sha256: str


@frozen
class CommandGrant:
    """One command in one directory.

    Attributes:
        cwd: with symlinks resolved.
        outside: whether it may run unconfined; grants inside and outside the sandbox are independent.
        files: for an unconfined command, the files it names that other commands can change.
    """

    argv: Words
    cwd: Path
    outside: bool = False
    files: frozenset[FileIdentity] = frozenset()

    @property
    def contents(self) -> frozenset[tuple[Path, str]]:
        """The paths and checksums of its files, without directory and device identities."""
        return frozenset((file.path, file.sha256) for file in self.files if file.sha256)


@frozen
class ToolGrant:
    """One call of an MCP server's tool.

    Attributes:
        arguments: as JSON with sorted keys, so that equal arguments are equal text.
    """

    server: str
    tool: str
    arguments: str


@frozen
class PathGrant:
    """Changes to one file, with symlinks resolved."""

    path: Path


Grant = CommandGrant | ToolGrant | PathGrant
