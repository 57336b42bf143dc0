"""What undo and redo need of the store that keeps old versions of files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from code_core.frozen import frozen


@frozen
class Steps:
    """How many turns can be undone, and how many done again."""

    undo: int
    redo: int


@frozen
class Restored:
    """What a step did.

    Attributes:
        turn_id: the turn that was undone or done again.
        files: what is as it was.
        kept: what was left alone, because the user has changed it since.
    """

    turn_id: str
    files: tuple[Path, ...]
    kept: tuple[Path, ...] = ()


class Checkpoints(Protocol):
    """Keeps what files were before a turn changed them."""

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        """A turn begins, whose commands may write below `roots`. Returns at once.

        `look_ahead` has the files below them looked at while the model thinks.
        """
        ...

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        """Remember `paths` as they are, unless this turn has remembered them already.

        Raises:
            CodeError: they cannot be kept; the write happens all the same, and the user is warned.
        """
        ...

    async def before_command(self, turn_id: str) -> str | None:
        """Remember everything below the turn's roots, before a command that may write.

        Gives what the user should know once: that commands are not covered, and why.

        Raises:
            CodeError: it cannot be kept; the command runs all the same, and the user is warned.
        """
        ...

    async def end_turn(self, turn_id: str) -> None:
        """The turn changes nothing more."""
        ...

    async def steps(self) -> Steps:
        """What `undo` and `redo` could do now."""
        ...

    async def undo(self) -> Restored | None:
        """Undo the last turn that changed files; None without such a turn.

        Raises:
            CodeError: the store is damaged, or a file cannot be written.
        """
        ...

    async def redo(self) -> Restored | None:
        """Do again what was undone last; None if there is nothing, or a turn has changed files since.

        Raises:
            CodeError: the store is damaged, or a file cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """The session ends; nothing more is kept."""
        ...
