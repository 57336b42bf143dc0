"""Input that waits until the model is asked the next time."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any, Self
from uuid import uuid4

from code_core.frozen import frozen
from code_core.protocol.ops import EditQueuedInput, InputItem, QueueUserInput, RemoveQueuedInput, UserInput
from code_core.protocol.session_events import QueueChanged, QueueEntry
from code_core.store.entries import EventEntry


@frozen
class QueuedInput:
    """Input of the user.

    Attributes:
        id: what ops and events call it; stays the same in the history.
        submission: the op it came with.
        output_schema: JSON Schema of the answer's form, if the user wants one.
    """

    id: str
    submission: str
    items: tuple[InputItem, ...]
    output_schema: dict[str, Any] | None = None

    @classmethod
    def of(cls, op: UserInput | QueueUserInput, submission: str, used: Container[str]) -> Self:
        """The input of `op`, with its id unless that is one of the `used` ones."""
        entry_id = op.id if op.id and op.id not in used else f"input_{uuid4().hex}"
        return cls(entry_id, submission, tuple(op.items), op.output_schema)

    def entry(self) -> EventEntry:
        """How the journal records that it waits."""
        items = [item.model_dump(mode="json") for item in self.items]
        payload = {"type": "input_queued", "id": self.id, "items": items, "output_schema": self.output_schema}
        return EventEntry({name: value for name, value in payload.items() if value is not None})


class InputQueue:
    """First in, first out; an entry can be changed or taken back while it waits."""

    def __init__(self, entries: Iterable[QueuedInput] = ()) -> None:
        self._entries: dict[str, QueuedInput] = {}
        self._shown: dict[str, QueueEntry] = {}  # made once: each change of the queue shows all of it
        for entry in entries:
            self.put(entry)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def entries(self) -> Sequence[QueuedInput]:
        """What waits, oldest first."""
        return list(self._entries.values())

    def put(self, entry: QueuedInput) -> None:
        """Add an entry; one with an id that waits already replaces it."""
        self._entries[entry.id] = entry
        self._shown[entry.id] = QueueEntry(id=entry.id, items=list(entry.items))

    def change(self, op: EditQueuedInput | RemoveQueuedInput) -> EventEntry | None:
        """Carry out `op`, and how the journal records that; None if its entry does not wait any more."""
        match op:
            case EditQueuedInput(id=entry_id, items=items):
                edited = self.edit(entry_id, items)
                return None if edited is None else edited.entry()
            case RemoveQueuedInput(id=entry_id):
                return removed_entry(entry_id) if self.remove(entry_id) else None

    def edit(self, entry_id: str, items: Sequence[InputItem]) -> QueuedInput | None:
        """The entry with new `items`; None if it does not wait any more."""
        entry = self._entries.get(entry_id)
        if entry is None:
            return None
        edited = replace(entry, items=tuple(items))
        self.put(edited)
        return edited

    def remove(self, entry_id: str) -> bool:
        """Take an entry out; False if it does not wait any more."""
        self._shown.pop(entry_id, None)
        return self._entries.pop(entry_id, None) is not None

    def first(self) -> QueuedInput | None:
        """The oldest entry, which stays."""
        return next(iter(self._entries.values()), None)

    def changed(self) -> QueueChanged:
        """The event that shows the queue as it is."""
        return QueueChanged(entries=[*self._shown.values()])


def removed_entry(entry_id: str) -> EventEntry:
    """How the journal records that an entry does not wait any more."""
    return EventEntry({"type": "input_removed", "id": entry_id})
