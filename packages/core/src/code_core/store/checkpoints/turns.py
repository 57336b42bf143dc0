"""The record of what turns changed and of what was undone, as appended lines."""

import json
import os
from pathlib import Path
from typing import Any

from code_core.frozen import frozen
from code_core.store.checkpoints.entries import Changes, Entry
from code_core.store.errors import CheckpointError
from code_core.store.layout import make_private_directory, open_private

_MOST_MODE = 0o7777


@frozen
class Turn:
    """The changes of one turn."""

    id: str
    changes: Changes


class Turns:
    """The turns that changed something: the first `done` are in effect, the others were undone and can be redone.

    Raises:
        CheckpointError: the record exists but cannot be read, or is damaged.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "turns.jsonl"
        self.turns: list[Turn] = []
        self.done = 0
        self._load()

    @property
    def undoable(self) -> Turn | None:
        """The turn that an undo reverts."""
        return self.turns[self.done - 1] if self.done else None

    @property
    def redoable(self) -> Turn | None:
        """The turn that a redo restores."""
        return self.turns[self.done] if self.done < len(self.turns) else None

    def add(self, turn: Turn) -> None:
        """Record a turn; turns undone before can no longer be redone.

        Raises:
            CheckpointError: it cannot be written.
        """
        changes = [[path, before, after] for path, (before, after) in turn.changes.items()]
        self._write({"turn": turn.id, "changes": changes})
        self._take(turn)

    def undone(self) -> None:
        """Record that the last turn in effect was undone.

        Raises:
            CheckpointError: it cannot be written.
        """
        self._write({"done": self.done - 1})
        self.done -= 1

    def redone(self) -> None:
        """Record that the next turn was redone.

        Raises:
            CheckpointError: it cannot be written.
        """
        self._write({"done": self.done + 1})
        self.done += 1

    def _take(self, turn: Turn) -> None:
        del self.turns[self.done :]
        self.turns.append(turn)
        self.done += 1

    def _write(self, fields: dict[str, Any]) -> None:
        data = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
        try:
            make_private_directory(self._path.parent)
            descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                size = os.fstat(descriptor).st_size
                if size and os.pread(descriptor, 1, size - 1) != b"\n":
                    os.ftruncate(descriptor, self._whole(descriptor, size))
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise CheckpointError(
                f"cannot record what the turn changed: {self._path}: {error.strerror}"
            ) from error

    @staticmethod
    def _whole(descriptor: int, size: int) -> int:
        """The start of the last line if a crash cut it off, otherwise the end of the file."""
        return os.pread(descriptor, size, 0).rfind(b"\n") + 1

    def _load(self) -> None:
        try:
            descriptor = open_private(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return
        except OSError as error:
            raise CheckpointError(
                f"cannot read what turns changed: {self._path}: {error.strerror}"
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # cut off by a crash
                try:
                    self._read(json.loads(line))
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise CheckpointError(
                        f"the record of what turns changed is damaged: {self._path}: undo is not available"
                    ) from error

    def _read(self, fields: dict[str, Any]) -> None:
        if "done" in fields:
            done = fields["done"]
            if not isinstance(done, int) or not 0 <= done <= len(self.turns):
                raise ValueError(done)
            self.done = done
            return
        changes = {path: (_entry(before), _entry(after)) for path, before, after in fields["changes"]}
        for path in changes:
            _check_text(path)
            if not path.startswith("/") or os.path.normpath(path) != path:
                raise ValueError(path)
        _check_text(fields["turn"])
        self._take(Turn(fields["turn"], changes))


def _entry(value: Any) -> Entry | None:
    if value is None:
        return None
    kind, mode, content = value
    _check_text(content)
    if kind not in {"f", "l", "d"} or not isinstance(mode, int) or not 0 <= mode <= _MOST_MODE:
        raise ValueError(kind)
    return Entry(kind, mode, content)


def _check_text(value: Any) -> None:
    """Reject text that cannot be a file name.

    Raises:
        TypeError: it is not text.
        ValueError: it cannot be a file name.
    """
    if b"\0" in os.fsencode(value):
        raise ValueError(value)
