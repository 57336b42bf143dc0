"""The history of a session; every change is recorded in the journal first.

`add` and `replace` are the only ways to change it. Both write to the journal first and
cannot be cancelled half-way, so the actions of a model or a tool are recorded however the turn
ends. Entries that the journal rejects stay in memory, stop the turn, and are written before
anything else next time.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio

from code_core.frozen import frozen
from code_core.protocol.items import (
    Message,
    ResponseItem,
    ToolCall,
    UnknownItem,
)
from code_core.session.history.sizes import estimated_tokens, image_sizes
from code_core.store.entries import Compacted, Entry, EventEntry, ItemEntry
from code_core.store.errors import JournalError, JournalTimeout
from code_core.store.journal import Journal

RECORD_SECONDS = 10.0
"""How long a turn or an interrupt waits for the journal."""
PATIENCE_SECONDS = 1.0
"""The same after a timeout: ending a session must not add up several long waits."""


@frozen
class HistoryItem:
    """An item of the history.

    Attributes:
        id: stays the same in events, in the journal and after a resume.
        turn_id: the turn that it belongs to, if any.
        failed: whether it is the output of a call that failed.
    """

    id: str
    item: ResponseItem
    turn_id: str | None = None
    failed: bool = False

    def payload(self) -> dict[str, Any]:
        """The item in wire form, with the rest in fields that other programs ignore."""
        payload = self.item.model_dump(mode="json", exclude_none=True)
        turn = {} if self.turn_id is None else {"turn_id": self.turn_id}
        return payload | {"item_id": self.id} | turn | ({"success": False} if self.failed else {})


class NoJournal:
    """A journal that discards everything, for sessions that are not stored. See `Journal`."""

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""

    async def sync(self) -> None:
        """See `Journal.sync`."""

    async def aclose(self) -> None:
        """See `Journal.aclose`."""


class History:
    """The items that the model sees, in order.

    Args:
        journal: where every change is recorded first.
        items: the items of a resumed session.

    Attributes:
        tokens: estimated size.
        image_sizes: the characters of each image, oldest first.
    """

    def __init__(self, journal: Journal, items: Iterable[HistoryItem] = ()) -> None:
        self._journal = journal
        self._recorded = not isinstance(journal, NoJournal)
        self._items = list(items)
        self._unwritten: list[Entry] = []
        self._writing = anyio.Lock(fast_acquire=True)
        self._patience = RECORD_SECONDS
        self._ids = {one.id for one in self._items}
        self._call_ids = {one.item.call_id for one in self._items if isinstance(one.item, ToolCall)}
        self.tokens = estimated_tokens(one.item for one in self._items)
        self.image_sizes = image_sizes(one.item for one in self._items)

    @property
    def items(self) -> Sequence[HistoryItem]:
        """All items, oldest first."""
        return self._items

    @property
    def ids(self) -> Container[str]:
        """The ids of the items."""
        return self._ids

    @property
    def call_ids(self) -> set[str]:
        """The ids of all calls, including those that a compaction replaced; an id may be used only once."""
        return self._call_ids

    def model_items(self) -> list[ResponseItem]:
        """The items that the model understands, not yet normalised."""
        return [one.item for one in self._items if not isinstance(one.item, UnknownItem)]

    async def add(self, *parts: HistoryItem | Entry) -> None:
        """Record `parts` in order and add the items among them; shielded from cancellation until done.

        An item with an id already in use gets a new one: a resume uses ids to recognise entries that
        were recorded twice because the journal timed out.

        Raises:
            JournalError: the parts are in the history, but could not be recorded.
        """
        own = [self._with_own_id(one) if isinstance(one, HistoryItem) else one for one in parts]
        added = [one for one in own if isinstance(one, HistoryItem)]
        if self._recorded:
            self._unwritten += [
                entry for one in own for entry in (_entries(one) if isinstance(one, HistoryItem) else [one])
            ]
        try:
            await self._write()
        finally:
            self._items += added
            self.tokens += estimated_tokens(one.item for one in added)
            self.image_sizes += image_sizes(one.item for one in added)
            self._call_ids.update(one.item.call_id for one in added if isinstance(one.item, ToolCall))

    async def replace(self, items: Iterable[HistoryItem], summary: str, *notes: Entry) -> None:
        """Replace the history with `items` from here on; existing journal entries are not rewritten.

        A resume starts at this entry, so `notes` must repeat whatever it needs from earlier ones.

        Raises:
            JournalTimeout: the history was replaced, and the change is recorded first next time.
            JournalError: the change could not be recorded; the history is unchanged.
        """
        items = list(items)
        if self._recorded:
            entries = [Compacted.of(summary, [one.payload() for one in items]), *notes]
            self._unwritten += entries
            try:
                await self._write()
            except JournalTimeout:  # the journal may have written it, or may still do so
                self._put_in_place(items)
                raise
            except JournalError:
                self._unwritten = [one for one in self._unwritten if not any(one is new for new in entries)]
                raise
        self._put_in_place(items)

    def _put_in_place(self, items: list[HistoryItem]) -> None:
        self._items = items
        self._ids = {one.id for one in items}
        self.tokens = estimated_tokens(one.item for one in items)
        self.image_sizes = image_sizes(one.item for one in items)

    def _with_own_id(self, item: HistoryItem) -> HistoryItem:
        own = item if item.id not in self._ids else replace(item, id=f"item_{uuid4().hex}")
        self._ids.add(own.id)
        return own

    async def note(self, *entries: Entry) -> None:
        """Record entries that the model does not see.

        Raises:
            JournalError: they could not be recorded yet.
        """
        if self._recorded:
            self._unwritten += entries
            await self._write()

    async def sync(self) -> None:
        """Flush everything to disk.

        Raises:
            JournalError: the data could not be written.
        """
        await self._write(sync=True)

    async def aclose(self) -> None:
        """Write pending entries and close the journal, each within the time limit of an interrupt.

        Raises:
            JournalError: something could not be written.
        """
        try:
            await self._write()
        finally:
            with anyio.move_on_after(self._patience, shield=True):
                await self._journal.aclose()

    async def _write(self, *, sync: bool = False) -> None:
        patience = self._patience
        with anyio.move_on_after(patience, shield=True) as clock:
            async with self._writing:
                if entries := tuple(self._unwritten):
                    await self._journal.append(*entries)
                    del self._unwritten[: len(entries)]
                if sync:
                    await self._journal.sync()
        self._patience = PATIENCE_SECONDS if clock.cancelled_caught else RECORD_SECONDS
        if clock.cancelled_caught:
            raise JournalTimeout(
                f"the session could not be recorded within {patience:g} s: "
                "check the disk that holds it, then send the message again"
            )


def _entries(one: HistoryItem) -> list[Entry]:
    """The journal entries that record an item."""
    match one.item:
        case Message(role="assistant", text=text) if text:
            return [ItemEntry(one.payload()), EventEntry.agent_message(text)]
        case _:
            return [ItemEntry(one.payload())]
