"""Undo and redo of what turns changed on disk."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from code_core.store.checkpoints.contents import Contents
from code_core.store.checkpoints.restoring import Outcome, bring_back
from code_core.store.checkpoints.tree import (
    MOST_ENTRIES,
    MOST_READ,
    NOT_OURS,
    REBUILT,
    Entry,
    Snapshot,
    TreeTooLarge,
    differences,
    entry_at,
    missing_parents,
    scan,
    standing_in,
)
from code_core.store.checkpoints.turns import Turn, Turns
from code_core.store.errors import CheckpointError


class Checkpoints:
    """The checkpoints of one session.

    A turn calls `before_write` for the files that a patch is about to change, and `before_command`
    before the first command that may write; `end_turn` compares. All methods read and write
    files: call them in a thread, one at a time.

    Args:
        directory: where they are kept.
        roots: the directories below which commands may write; not the temporary ones.
        excluded: directories below them that are not looked at, such as our own home.

    Attributes:
        warning: why commands are not covered, or None.

    Raises:
        CheckpointError: those of an earlier process are damaged.
    """

    def __init__(self, directory: Path, roots: Sequence[Path], excluded: Iterable[Path] = ()) -> None:
        self._contents = Contents(directory)
        self._turns = Turns(directory)
        self._roots = _outermost([Path(os.path.realpath(root)) for root in roots])
        hidden = [directory, *excluded]
        self._excluded = frozenset(os.path.realpath(path) for path in hidden)
        self._snapshot: Snapshot = {}
        self._turn = ""
        self._before: dict[str, Entry | None] = {}
        self._baseline: Snapshot | None = None
        self._stopped = False
        self.warning: str | None = None

    @property
    def can_undo(self) -> bool:
        """Whether a turn can be undone."""
        return self._turns.undoable is not None

    @property
    def steps(self) -> tuple[int, int]:
        """How many turns can be undone, and how many redone."""
        return self._turns.done, len(self._turns.turns) - self._turns.done

    def wants(self, roots: Sequence[Path]) -> bool:
        """Whether other checkpoints of the same session are needed for these roots."""
        return _outermost([Path(os.path.realpath(root)) for root in roots]) != self._roots

    def stop(self) -> None:
        """End what another thread is saving now, and save nothing more."""
        self._stopped = True

    @property
    def can_redo(self) -> bool:
        """Whether a turn can be redone."""
        return self._turns.redoable is not None

    def prepare(self) -> None:
        """Look at everything below the roots ahead of the first command, such as while the model thinks.

        Raises:
            CheckpointError: it cannot be saved.
        """
        if self.warning is None:
            self._scanned()

    def begin_turn(self, turn: str) -> None:
        """A turn begins; what was changed until now is not the agent's."""
        self._turn = turn
        self._before = {}
        self._baseline = None

    def before_write(self, paths: Iterable[Path]) -> None:
        """Save what stands at `paths`, which a patch is about to write, move or delete.

        Raises:
            CheckpointError: it cannot be saved.
        """
        fresh: dict[str, Entry | None] = {}
        for path in paths:
            text = os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - texts
            for affected in (text, *missing_parents(text)):
                if affected not in self._before and affected not in fresh:
                    fresh[affected] = self._known(affected)
        self._contents.flush()
        self._before |= fresh

    def before_command(self) -> None:
        """Save what is below the roots, once a turn; only files that changed since the last turn are read.

        Raises:
            CheckpointError: it cannot be saved.
        """
        if self._baseline is None and self.warning is None:
            self._baseline = self._scanned()

    def end_turn(self) -> tuple[str, ...]:
        """The turn has ended; gives the paths that it changed, for which there is an undo now.

        Raises:
            CheckpointError: they cannot be recorded.
        """
        changes: dict[str, tuple[Entry | None, Entry | None]] = {}
        if self._baseline is not None:
            now = self._scanned()
            changes = {} if now is None else differences(self._baseline, now)
        for path, before in self._before.items():
            after = self._standing(path)
            changes.pop(path, None)
            if before != after:
                changes[path] = (before, after)
        self._contents.flush()
        self._before, self._baseline = {}, None
        if changes:
            self._turns.add(Turn(self._turn, changes))
        return tuple(sorted(changes))

    def undo(self) -> Outcome | None:
        """Take back the changes of the last turn that is not undone; None without such a turn.

        Raises:
            CheckpointError: what is saved is damaged or missing; nothing was changed.
        """
        turn = self._turns.undoable
        if turn is None:
            return None
        outcome = Outcome(turn.id, *bring_back(turn.changes, self._contents))
        self._turns.undone()
        return outcome

    def redo(self) -> Outcome | None:
        """Repeat what was undone last; None if nothing was undone.

        Raises:
            CheckpointError: what is saved is damaged or missing; nothing was changed.
        """
        turn = self._turns.redoable
        if turn is None:
            return None
        back = {path: (after, before) for path, (before, after) in turn.changes.items()}
        outcome = Outcome(turn.id, *bring_back(back, self._contents))
        self._turns.redone()
        return outcome

    def _known(self, path: str) -> Entry | None:
        """What stood at `path` when the turn began, as far as it is known; else what stands there."""
        if self._baseline is not None and self._is_scanned(path):
            return standing_in(self._baseline, path)
        return self._standing(path)

    def _is_scanned(self, path: str) -> bool:
        """Whether the baseline has `path` if it stood there."""
        for root in self._roots:
            if Path(path).is_relative_to(root):
                below = Path(path).relative_to(root)
                above = (os.fspath(root / parent) for parent in (below, *below.parents))
                hidden = NOT_OURS.union(REBUILT)
                return hidden.isdisjoint(below.parts) and self._excluded.isdisjoint(above)
        return False

    def _standing(self, path: str) -> Entry | None:
        try:
            return entry_at(path, self._contents.put)
        except OSError as error:
            raise CheckpointError(f"cannot save {path} for undo: {error.strerror}") from error

    def _save(self, data: bytes) -> str | None:
        if self._stopped:
            raise CheckpointError("the session has ended")
        return self._contents.put(data)

    def _scanned(self) -> Snapshot | None:
        """What is below the roots now; None from when there is too much of it on."""
        try:
            snapshot = scan(self._roots, self._excluded, self._snapshot, self._save)
            self._contents.flush()
        except TreeTooLarge:
            self._snapshot = {}
            self.warning = (
                f"undo covers patches here, not what commands change: there are more than {MOST_ENTRIES:,} files"
                f" or {MOST_READ // 2**20} MiB below {', '.join(map(str, self._roots))}"
            )
            return None
        self._snapshot = snapshot
        return snapshot


def _outermost(roots: Sequence[Path]) -> tuple[Path, ...]:
    """`roots` without those that are below another one."""
    return tuple(
        root
        for number, root in enumerate(roots)
        if not any(
            root.is_relative_to(other) and (root != other or position < number)
            for position, other in enumerate(roots)
            if position != number
        )
    )
