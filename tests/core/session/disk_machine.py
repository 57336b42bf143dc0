"""The session of `machine` with its journal on a disk that hangs, is full or writes partially."""

import errno
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from code_core.session.stored.restore import SessionState
from code_core.store.entries import Entry, SessionMeta
from code_core.store.errors import JournalError
from code_core.store.restore import restore
from code_core.store.rollout import RolloutFile
from code_core.store.rollout_journal import RolloutJournal
from core.session.machine import SessionMachine

SESSION = "11111111-1111-4111-8111-111111111111"
TURN_OVER = 0.0002
"""Seconds for the thread that writes."""


class FaultyDisk(RolloutJournal):
    """A rollout that blocks or fails on demand, and leaves half a line behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.gate = threading.Event()
        self.gate.set()
        self.fails: Callable[[Entry], bool] = lambda _entry: False
        super().__init__(_File(self, path, SessionMeta({"id": SESSION, "originator": "code_py"})))

    def block(self) -> None:
        """See `FaultyJournal.block`."""
        self.gate.clear()

    @property
    def is_busy(self) -> bool:
        """Whether the thread has something to do."""
        return self._running is not None and not self._running.done.is_set()


class _File(RolloutFile):
    def __init__(self, disk: FaultyDisk, path: Path, meta: SessionMeta) -> None:
        super().__init__(path, meta)
        self._disk = disk

    def write(self, entries: Sequence[Entry]) -> None:
        self._disk.gate.wait()
        if not any(map(self._disk.fails, entries)):
            super().write(entries)
            return
        if self.path.exists():
            with self.path.open("ab") as file:  # like a process that died
                file.write(b'{"timestamp":"2026-01-01T00:00:00.000Z","type":"respon')
            self._mid_line = True
        raise JournalError(f"cannot write the session: {os.strerror(errno.ENOSPC)}")


class DiskMachine(SessionMachine):
    """See the module."""

    def make_journal(self) -> FaultyDisk:
        """See `SessionMachine.make_journal`."""
        return FaultyDisk(Path(self.folder.name) / "rollout.jsonl")

    def recorded(self) -> SessionState:
        """See `SessionMachine.recorded`."""
        if not self.journal.path.exists():
            return SessionState()
        return SessionState.from_store(restore(self.journal.path))

    def is_busy(self) -> bool:
        """See `SessionMachine.is_busy`."""
        return super().is_busy() or self.journal.is_busy

    def steps(self, number: int) -> None:
        """Let the event loop and the thread run a while."""
        super().steps(number)
        self.within(anyio.sleep(TURN_OVER))
