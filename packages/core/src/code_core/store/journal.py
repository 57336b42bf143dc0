"""The journal interface: a session records what happens before relying on it."""

from collections.abc import Callable
from typing import Protocol

import anyio

from code_core.store.entries import Entry
from code_core.store.errors import JournalError


class Journal(Protocol):
    """An append-only record of one session.

    Entries are kept in the order of the `append` calls. Once `append` returns, its entries survive
    the end of this process; after `sync`, they survive a crash of the machine. Nothing is ever
    rewritten: compactions and rollbacks are entries too.

    A cancelled `append` may or may not have recorded its entries, so callers shield it.
    """

    async def append(self, *entries: Entry) -> None:
        """Record `entries` contiguously, all or none.

        Raises:
            JournalError: they are not recorded, and the turn must stop; they may be appended again.
        """

    async def sync(self) -> None:
        """Flush everything appended to disk; called when a turn ends.

        Raises:
            JournalError: the data cannot be written.
        """

    async def aclose(self) -> None:
        """Write pending entries and close the file; further calls do nothing.

        Raises:
            JournalError: something could not be written.
        """


class MemoryJournal:
    """A journal in memory, for tests and for sessions that are not stored."""

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
    """A journal that blocks or fails on demand, for tests.

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
        """Make `append` and `sync` wait until `gate` is set."""
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
