"""Input that waits for the next request to the model."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any, Self
from uuid import uuid4

from code_core.frozen import frozen
from code_core.protocol.ops import (
    EditQueuedInput,
    InputItem,
    QueueUserInput,
    RemoveQueuedInput,
    TextInput,
    UserInput,
)
from code_core.protocol.session_events import QueueChanged, QueueEntry
from code_core.store.entries import EventEntry

MOST_CHARACTERS = 10 * 2**20
"""Limit on the text of one input. Source: OpenAI's limit on a text in a request."""


@frozen
class QueuedInput:
    """User input.

    Attributes:
        id: identifies it in ops, events and the history.
        submission: the op that brought it.
        output_schema: JSON Schema for the answer, if the user requests one.
    """

    id: str
    submission: str
    items: tuple[InputItem, ...]
    output_schema: dict[str, Any] | None = None

    @classmethod
    def of(cls, op: UserInput | QueueUserInput, submission: str, used: Container[str]) -> Self:
        """Return the input of `op`, under its own id unless that is in `used`."""
        entry_id = op.id if op.id and op.id not in used else f"input_{uuid4().hex}"
        return cls(entry_id, submission, tuple(op.items), op.output_schema)

    def entry(self) -> EventEntry:
        """The journal entry that records it as queued."""
        items = [item.model_dump(mode="json") for item in self.items]
        payload = {"type": "input_queued", "id": self.id, "items": items, "output_schema": self.output_schema}
        return EventEntry({name: value for name, value in payload.items() if value is not None})


class InputQueue:
    """A FIFO queue whose entries can be edited or removed while they wait."""

    def __init__(self, entries: Iterable[QueuedInput] = ()) -> None:
        self._entries: dict[str, QueuedInput] = {}
        self._shown: dict[str, QueueEntry] = {}  # cached, because every queue event shows all entries
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[QueuedInput]:
        """All entries, oldest first."""
        return list(self._entries.values())

    def put(self, entry: QueuedInput) -> None:
        """Add an entry, or replace the queued one with the same id."""
        self._entries[entry.id] = entry
        self._shown[entry.id] = QueueEntry(id=entry.id, items=list(entry.items))

    def change(self, op: EditQueuedInput | RemoveQueuedInput) -> EventEntry | None:
        """Carry out `op` and return its journal entry, or None if the input is no longer queued."""
        match op:
            case EditQueuedInput(id=entry_id, items=items):
                edited = self.edit(entry_id, items)
                return None if edited is None else edited.entry()
            case RemoveQueuedInput(id=entry_id):
                return removed_entry(entry_id) if self.remove(entry_id) else None

    def edit(self, entry_id: str, items: Sequence[InputItem]) -> QueuedInput | None:
        """Replace the items of an entry and return it, or None if it is no longer queued."""
        entry = self._entries.get(entry_id)
        if entry is None:
            return None
        edited = replace(entry, items=tuple(items))
        self.put(edited)
        return edited

    def remove(self, entry_id: str) -> bool:
        """Remove an entry; False if it is no longer queued."""
        self._shown.pop(entry_id, None)
        return self._entries.pop(entry_id, None) is not None

    def first(self) -> QueuedInput | None:
        """The oldest entry, without removing it."""
        return next(iter(self._entries.values()), None)

    def changed(self) -> QueueChanged:
        """The event that shows the current queue."""
        return QueueChanged(entries=[*self._shown.values()])


def removed_entry(entry_id: str) -> EventEntry:
    """The journal entry that records a removal from the queue."""
    return EventEntry({"type": "input_removed", "id": entry_id})


def too_large(op: UserInput | QueueUserInput | EditQueuedInput) -> str | None:
    """Return why `op` is refused, or None: providers refuse a longer text, and then the whole conversation."""
    count = sum(len(item.text) for item in op.items if isinstance(item, TextInput))
    if count <= MOST_CHARACTERS:
        return None
    return (
        f"the input has {count:,} characters, more than {MOST_CHARACTERS:,}: "
        "put it in a file and name the file"
    )
