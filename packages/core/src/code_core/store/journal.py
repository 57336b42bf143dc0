"""Where a session records what happened before it counts as having happened."""

from collections.abc import Callable
from typing import Protocol

import anyio

from code_core.store.entries import Entry
from code_core.store.errors import JournalError


class Journal(Protocol):
    """An append-only record of one session.

    Entries stand in the order in which `append` was called. An entry whose `append`
    has returned survives the end of this process; after `sync` it survives the end of
    the machine. Nothing is ever rewritten: a compaction and a rollback are entries.

    A cancelled `append` may or may not have recorded its entries, so callers shield it.
    """

    async def append(self, *entries: Entry) -> None:
        """Record `entries`, all or none, one after the other with none between them.

        Raises:
            JournalError: they are not recorded, and the turn must stop; they may be appended again.
        """

    async def sync(self) -> None:
        """Have everything that was appended on the disk; called when a turn ends.

        Raises:
            JournalError: the disk does not take it.
        """

    async def aclose(self) -> None:
        """Write what is still to be written and give up the file; further calls do nothing.

        Raises:
            JournalError: something could not be written.
        """


class MemoryJournal:
    """A journal for sessions that are not to be stored, and for tests."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.syncs = 0
        self.closed = False

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""
        if self.closed:
            raise JournalError("the session's journal is closed")
        self.entries += entries

    async def sync(self) -> None:
        """See `Journal.sync`."""
        self.syncs += 1

    async def aclose(self) -> None:
        """See `Journal.aclose`."""
        self.closed = True


class FaultyJournal(MemoryJournal):
    """A journal that blocks or fails when a test says so.

    Attributes:
        gate: `append` and `sync` wait until it is set.
        fails: whether recording this entry fails.
    """

    def __init__(self, fails: Callable[[Entry], bool] = lambda _entry: False) -> None:
        super().__init__()
        self.gate = anyio.Event()
        self.gate.set()
        self.fails = fails

    def block(self) -> None:
        """Let `append` and `sync` wait from now on, until `gate` is set."""
        self.gate = anyio.Event()

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""
        await self.gate.wait()
        if any(self.fails(entry) for entry in entries):
            raise JournalError("cannot write the session: No space left on device")
        await super().append(*entries)

    async def sync(self) -> None:
        """See `Journal.sync`."""
        await self.gate.wait()
        await super().sync()
