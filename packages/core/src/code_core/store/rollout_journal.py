"""The journal of a stored session: a rollout that a thread writes."""

from dataclasses import dataclass

import anyio
import anyio.to_thread

from code_core.store.entries import Entry
from code_core.store.errors import JournalError
from code_core.store.lock import SessionLock
from code_core.store.rollout import RolloutFile


@dataclass(slots=True, eq=False)
class _Ticket:
    """The entries of one `append`, and what became of them."""

    entries: tuple[Entry, ...]
    error: JournalError | None = None


class RolloutJournal:
    """See `Journal`. Entries that wait for the disk at the same time are written together.

    Args:
        file: what to write to; closed by `aclose`.
        lock: held on the session; released by `aclose`.
    """

    def __init__(self, file: RolloutFile, lock: SessionLock | None = None) -> None:
        self._file = file
        self._lock = lock
        self._writing = anyio.Lock()
        self._waiting: list[_Ticket] = []

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""
        ticket = _Ticket(entries)
        self._waiting.append(ticket)
        async with self._writing:
            await self._write_waiting()
        if ticket.error is not None:
            raise JournalError(str(ticket.error)) from ticket.error

    async def sync(self) -> None:
        """See `Journal.sync`."""
        async with self._writing:
            tickets = await self._write_waiting()
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(self._file.sync)
        _raise_first(tickets)

    async def aclose(self) -> None:
        """See `Journal.aclose`."""
        with anyio.CancelScope(shield=True):
            async with self._writing:
                try:
                    tickets = await self._write_waiting()
                    await anyio.to_thread.run_sync(self._file.sync)
                finally:
                    self._file.close()
                    lock, self._lock = self._lock, None
                    if lock is not None:
                        lock.release()
        _raise_first(tickets)

    async def _write_waiting(self) -> list[_Ticket]:
        """Write the waiting entries; the thread is always waited for, so that entries keep their order."""
        tickets, self._waiting = self._waiting, []
        if tickets:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_write, self._file, tickets)
        return tickets


def _write(file: RolloutFile, tickets: list[_Ticket]) -> None:
    for number, ticket in enumerate(tickets):
        try:
            file.write(ticket.entries)
        except JournalError as error:
            # What follows must not be recorded without what it follows.
            for failed in tickets[number:]:
                failed.error = error
            return


def _raise_first(tickets: list[_Ticket]) -> None:
    error = next((ticket.error for ticket in tickets if ticket.error is not None), None)
    if error is not None:
        raise JournalError(str(error)) from error
