"""The history of a session: what was said and done, recorded before it counts.

There is one way to add to it, and one to replace it. Both write to the journal first
and cannot be cancelled half-way: what the model or a tool did is recorded however the
turn ends. What the journal does not take stays in memory, is written before anything
else the next time, and stops the turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from code_core.protocol.items import (
    ContentItem,
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    InputText,
    Message,
    OutputText,
    Refusal,
    ResponseItem,
    ToolCall,
    UnknownItem,
)
from code_core.store.entries import Compacted, Entry, ItemEntry
from code_core.store.errors import JournalError
from code_core.store.journal import Journal

RECORD_SECONDS = 10.0
"""How long an interrupt waits for the journal."""
TOKENS_OF_AN_IMAGE = 1_000
TOKENS_AROUND_AN_ITEM = 8


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """An item of the history.

    Attributes:
        id: the same in events, in the journal and after a resume.
        turn_id: the turn it belongs to; None for what came from elsewhere.
    """

    id: str
    item: ResponseItem
    turn_id: str | None = None

    def payload(self) -> dict[str, Any]:
        """The item in wire form, with its ids in fields that other programs skip."""
        payload = self.item.model_dump(mode="json", exclude_none=True)
        return payload | {"item_id": self.id} | ({} if self.turn_id is None else {"turn_id": self.turn_id})


class NoJournal:
    """The journal of a session that is not stored: it forgets everything. See `Journal`."""

    async def append(self, *entries: Entry) -> None:
        """See `Journal.append`."""

    async def sync(self) -> None:
        """See `Journal.sync`."""

    async def aclose(self) -> None:
        """See `Journal.aclose`."""


class History:
    """What the model gets to see, in order.

    Args:
        journal: where everything is recorded first.
        items: what a resumed session begins with.

    Attributes:
        tokens: about how large it is.
    """

    def __init__(self, journal: Journal, items: Iterable[HistoryItem] = ()) -> None:
        self._journal = journal
        self._recorded = not isinstance(journal, NoJournal)
        self._items = list(items)
        self._unwritten: list[Entry] = []
        self._writing = anyio.Lock()
        self._call_ids = {one.item.call_id for one in self._items if isinstance(one.item, ToolCall)}
        self.tokens = estimated_tokens(one.item for one in self._items)

    @property
    def items(self) -> Sequence[HistoryItem]:
        """Everything, oldest first."""
        return self._items

    @property
    def call_ids(self) -> set[str]:
        """The ids of all calls, those that a compaction replaced included; an id may be used once."""
        return self._call_ids

    def model_items(self) -> list[ResponseItem]:
        """What a model understands of it, not yet normalised."""
        return [one.item for one in self._items if not isinstance(one.item, UnknownItem)]

    async def add(self, *items: HistoryItem) -> None:
        """Record `items`, then add them; a cancellation waits until that is done.

        Raises:
            JournalError: they are in the history, but could not be recorded.
        """
        if self._recorded:
            self._unwritten += [ItemEntry(one.payload()) for one in items]
        try:
            await self._write()
        finally:
            self._items += items
            self.tokens += estimated_tokens(one.item for one in items)
            self._call_ids.update(one.item.call_id for one in items if isinstance(one.item, ToolCall))

    async def replace(self, items: Iterable[HistoryItem], summary: str, *notes: Entry) -> None:
        """Let `items` be the history from here on; nothing that was recorded is rewritten.

        A resume reads from this entry on, so `notes` repeat what it needs from before.

        Raises:
            JournalError: it could not be recorded; the history is what it was.
        """
        items = list(items)
        if self._recorded:
            entries = [Compacted.of(summary, [one.payload() for one in items]), *notes]
            self._unwritten += entries
            try:
                await self._write()
            except JournalError:
                self._unwritten = [one for one in self._unwritten if not any(one is new for new in entries)]
                raise
        self._items = items
        self.tokens = estimated_tokens(one.item for one in items)

    async def note(self, entry: Entry) -> None:
        """Record what is not for the model.

        Raises:
            JournalError: it could not be recorded yet.
        """
        if self._recorded:
            self._unwritten.append(entry)
            await self._write()

    async def sync(self) -> None:
        """Have everything on the disk.

        Raises:
            JournalError: the disk does not take it.
        """
        await self._write(sync=True)

    async def aclose(self) -> None:
        """Write what waits, and close the journal.

        Raises:
            JournalError: something could not be written.
        """
        with anyio.CancelScope(shield=True):
            try:
                await self._write()
            finally:
                await self._journal.aclose()

    async def _write(self, *, sync: bool = False) -> None:
        with anyio.move_on_after(RECORD_SECONDS, shield=True) as clock:
            async with self._writing:
                if entries := tuple(self._unwritten):
                    await self._journal.append(*entries)
                    del self._unwritten[: len(entries)]
                if sync:
                    await self._journal.sync()
        if clock.cancelled_caught:
            raise JournalError(
                f"the session could not be recorded within {RECORD_SECONDS:g} s: "
                "check the disk that holds it, then send the message again"
            )


def estimated_tokens(items: Iterable[ResponseItem]) -> int:
    """About how many tokens `items` are, at four bytes each; images count as 1,000."""
    return sum(map(_tokens, items))


def _tokens(item: ResponseItem) -> int:
    match item:
        case Message(content=parts) | FunctionCallOutput(output=[*parts]):
            characters = sum(map(_characters, parts))
        case FunctionCallOutput(output=str(text)) | CustomToolCallOutput(output=text):
            characters = len(text)
        case _:
            characters = _length(item.model_dump())
    return characters // 4 + TOKENS_AROUND_AN_ITEM


def _characters(part: ContentItem) -> int:
    match part:
        case InputText(text=text) | OutputText(text=text) | Refusal(refusal=text):
            return len(text)
        case InputImage():
            return TOKENS_OF_AN_IMAGE * 4


def _length(value: object) -> int:
    match value:
        case str():
            return len(value)
        case Mapping():
            return sum(map(_length, value.values()))
        case list():
            return sum(map(_length, value))
        case _:
            return 0
