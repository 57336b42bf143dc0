"""Undo and redo of the files that turns changed."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from code_core.store.checkpoints.contents import Contents
from code_core.store.checkpoints.entries import Entry, State, entry_at
from code_core.store.checkpoints.restoring import Outcome, bring_back
from code_core.store.checkpoints.tree import (
    MOST_ENTRIES,
    NOT_OURS,
    REBUILT,
    Snapshot,
    differences,
    is_below,
    missing_parents,
    state_in,
    unseen_in,
)
from code_core.store.checkpoints.turns import Turn, Turns
from code_core.store.checkpoints.workspace import MOST_COPIED, Workspace
from code_core.store.errors import CheckpointError

MOST_WAIT = 1.0
"""Seconds that the first command of a turn waits for files to be saved; the rest is saved while it runs."""


class Checkpoints:
    """The checkpoints of one session.

    A turn calls `before_write` for the files that a patch is about to change, and `before_command`
    before the first command that may write; `end_turn` compares. All methods read and write
    files: call them in a thread, one at a time.

    Args:
        directory: where the checkpoints are kept.
        roots: the directories where commands may write, except temporary ones.
        excluded: directories below the roots to ignore, such as our own home directory.

    Raises:
        CheckpointError: checkpoints from an earlier process are damaged.
    """

    def __init__(self, directory: Path, roots: Sequence[Path], excluded: Iterable[Path] = ()) -> None:
        self._contents = Contents(directory)
        self._turns = Turns(directory)
        self._roots = _outermost([Path(os.path.realpath(root)) for root in roots])
        hidden = [directory, *excluded]
        self._excluded = frozenset(os.path.realpath(path) for path in hidden)
        self._workspace = Workspace([os.fspath(root) for root in self._roots], self._excluded, self._contents)
        self._turn = ""
        self._before: dict[str, Entry | None] = {}
        self._baseline: Snapshot | None = None
        self._looked = False
        self._unsaved = 0

    @property
    def can_undo(self) -> bool:
        """Whether a turn can be undone."""
        return self._turns.undoable is not None

    @property
    def steps(self) -> tuple[int, int]:
        """The number of turns that can be undone, and the number that can be redone."""
        return self._turns.done, len(self._turns.turns) - self._turns.done

    def wants(self, roots: Sequence[Path]) -> bool:
        """Whether these roots need different checkpoints."""
        return _outermost([Path(os.path.realpath(root)) for root in roots]) != self._roots

    def stop(self) -> None:
        """Stop saving, including in another thread."""
        self._workspace.stop()

    @property
    def can_redo(self) -> bool:
        """Whether a turn can be redone."""
        return self._turns.redoable is not None

    @property
    def warning(self) -> str | None:
        """A warning about unexpected gaps in what undo covers, if any."""
        below = ", ".join(map(str, self._roots))
        if self._workspace.is_too_large:
            return (
                "undo covers patches here, not what commands change:"
                f" there are more than {MOST_ENTRIES:,} files below {below}"
            )
        if count := self._workspace.left_out:
            return (
                f"undo does not cover what commands change in {_files(count)} below {below}:"
                f" git does not have {'its' if count == 1 else 'their'} contents,"
                f" and more than {MOST_COPIED // 2**20} MiB would be copied"
            )
        if self._unsaved:
            return (
                f"undo does not cover yet what commands change in {_files(self._unsaved)} below {below}:"
                f" {'it is' if self._unsaved == 1 else 'they are'} still being saved"
            )
        return None

    def prepare(self) -> None:
        """Scan everything below the roots before the first command, for example while the model thinks.

        Raises:
            CheckpointError: the files cannot be saved.
        """
        if not self._looked:
            self._looked = True
            self._workspace.look()

    def save(self, seconds: float) -> bool:
        """Save files found by the last scan for some time; return whether any are left.

        Raises:
            CheckpointError: the files cannot be saved.
        """
        self._unsaved = self._workspace.save(seconds)
        return self._unsaved > 0

    def begin_turn(self, turn: str) -> None:
        """Begin a turn; earlier changes are not the agent's."""
        self._turn = turn
        self._before = {}
        self._baseline = None
        self._workspace.forget()

    def before_write(self, paths: Iterable[Path]) -> None:
        """Save the entries at `paths` before a patch writes, moves or deletes them.

        Raises:
            CheckpointError: they cannot be saved.
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
        """Scan the roots, once per turn, and save what is not saved yet.

        Saving adds at most `MOST_WAIT` to the scan; call `save` for the rest.

        Raises:
            CheckpointError: the files cannot be saved.
        """
        if self._baseline is not None:
            self.save(0)
            return
        self._looked = True
        self._workspace.look()
        if not self._workspace.is_too_large:
            self.save(MOST_WAIT)
            self._baseline = self._workspace.snapshot

    def end_turn(self) -> tuple[str, ...]:
        """End the turn and return the paths that it changed, which can now be undone.

        Raises:
            CheckpointError: the changes cannot be recorded.
        """
        changes = self._by_commands()
        for path, before in self._before.items():
            after = self._standing(path)
            if before != after:
                changes[path] = (before, after)
        self._contents.flush()
        self._before, self._baseline = {}, None
        if changes:
            self._turns.add(Turn(self._turn, changes))
        return tuple(sorted(changes))

    def undo(self) -> Outcome | None:
        """Undo the last turn that is not undone yet, or return None without one.

        Raises:
            CheckpointError: saved data is damaged or missing; nothing was changed.
        """
        turn = self._turns.undoable
        if turn is None:
            return None
        outcome = Outcome(turn.id, *bring_back(turn.changes, self._contents))
        self._turns.undone()
        return outcome

    def redo(self) -> Outcome | None:
        """Redo the last turn that was undone, or return None without one.

        Raises:
            CheckpointError: saved data is damaged or missing; nothing was changed.
        """
        turn = self._turns.redoable
        if turn is None:
            return None
        back = {path: (after, before) for path, (before, after) in turn.changes.items()}
        outcome = Outcome(turn.id, *bring_back(back, self._contents))
        self._turns.redone()
        return outcome

    def _by_commands(self) -> dict[str, tuple[Entry | None, Entry | None]]:
        """The changes below the roots since the first command, except those announced by `before_write`."""
        if self._baseline is None:
            return {}
        self._workspace.look()
        if self._workspace.is_too_large:
            return {}
        states = differences(self._baseline, self._workspace.snapshot)
        for path in self._before:
            states.pop(path, None)
        were = self._workspace.entries(was for was, _ in states.values() if was is not None)
        changes: dict[str, tuple[Entry | None, Entry | None]] = {}
        for path, (was, now) in states.items():
            before = None if was is None else were[was]
            after = None if now is None else self._entry(path, now)
            if before != after:
                changes[path] = (before, after)
        return changes

    def _entry(self, path: str, state: State) -> Entry | None:
        """The entry at `path`, which had this state a moment ago."""
        if not state.is_file:
            return state.entry()
        digest = self._workspace.content(path, state)
        return self._standing(path) if digest is None else state.entry(digest)

    def _known(self, path: str) -> Entry | None:
        """The entry at `path` at the start of the turn, if known, otherwise the current one."""
        if self._baseline is None or not self._is_scanned(path) or is_below(path, unseen_in(self._baseline)):
            return self._standing(path)
        state = state_in(self._baseline, path)
        if state is None:
            return None
        if state.is_file:
            self._workspace.content(path, state)
        return self._workspace.entries([state])[state]

    def _is_scanned(self, path: str) -> bool:
        """Whether the baseline would contain `path` if it existed then."""
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


def _outermost(roots: Sequence[Path]) -> tuple[Path, ...]:
    """`roots` without those inside another one."""
    return tuple(
        root
        for number, root in enumerate(roots)
        if not any(
            root.is_relative_to(other) and (root != other or position < number)
            for position, other in enumerate(roots)
            if position != number
        )
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
