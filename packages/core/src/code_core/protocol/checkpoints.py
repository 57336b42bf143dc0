"""The interface between undo and redo and the store that keeps old versions of files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from code_core.frozen import frozen


@frozen
class Steps:
    """How many turns can be undone, and how many redone."""

    undo: int
    redo: int


@frozen
class Restored:
    """The result of an undo or a redo.

    Attributes:
        turn_id: the turn that was undone or redone.
        files: the restored files.
        kept: files that were left alone, because the user has changed them since.
    """

    turn_id: str
    files: tuple[Path, ...]
    kept: tuple[Path, ...] = ()


class Checkpoints(Protocol):
    """Keeps the earlier states of files that a turn changes."""

    def begin_turn(self, turn_id: str, roots: Sequence[Path], *, look_ahead: bool) -> None:
        """Begin a turn whose commands may write below `roots`. Returns immediately.

        With `look_ahead`, the files below the roots are scanned while the model thinks.
        """
        ...

    async def before_write(self, turn_id: str, paths: Sequence[Path]) -> None:
        """Save the state of `paths`, unless this turn has saved it already.

        Raises:
            CodeError: they cannot be saved; the write proceeds anyway, and the user is warned.
        """
        ...

    async def before_command(self, turn_id: str) -> str | None:
        """Save everything below the turn's roots, before a command that may write.

        Returns a warning for the user, once, if commands are not covered.

        Raises:
            CodeError: it cannot be saved; the command runs anyway, and the user is warned.
        """
        ...

    async def end_turn(self, turn_id: str) -> None:
        """End the turn, which changes nothing more."""
        ...

    async def steps(self) -> Steps:
        """Return how many steps `undo` and `redo` can take now."""
        ...

    async def undo(self) -> Restored | None:
        """Undo the last turn that changed files, or return None without one.

        Raises:
            CodeError: the store is damaged, or a file cannot be written.
        """
        ...

    async def redo(self) -> Restored | None:
        """Redo what was undone last, or return None if there is nothing to redo or a turn has changed files since.

        Raises:
            CodeError: the store is damaged, or a file cannot be written.
        """
        ...

    async def aclose(self) -> None:
        """Close the checkpoints at the end of the session."""
        ...
