"""The numbered event log of a session, with any number of readers.

Publishing never waits: an event gets its number when it is queued, regardless of cancellation
and slow readers. Two rules keep memory bounded:

- Deltas of one item are merged until a reader takes them.
- A reader that falls too far behind loses deltas, and items that have both begun and ended;
  `events_skipped` counts them. It never loses the end of a task, an open question, a begin
  without its end, or the end of a begin that it has seen.
"""

from collections import Counter, deque
from collections.abc import Hashable, Iterable
from typing import Any, Self

import anyio
import anyio.lowlevel

from code_core.protocol.agent_events import AgentMessageDelta
from code_core.protocol.events import Event, EventMsg, EventOrder, SessionConfigured, ShutdownComplete
from code_core.protocol.mcp_events import ElicitationRequest, ElicitationWithdrawn
from code_core.protocol.question_events import PlanProposed
from code_core.protocol.session_events import EventsSkipped, QueueChanged
from code_core.session.events.deltas import Delta, delta_text, merged, stream_item, stream_of
from code_core.session.events.open_items import Begin, End, OpenItems, Question, TaskEnd, item_of, question_id

LONGEST_DELTA = 8 * 1024
MOST_EVENTS = 4_096
MOST_CHARACTERS = 16 * 2**20
ALWAYS_KEPT = 256
"""The newest events, which every reader gets however far behind it is."""
TAKEN_IN_A_ROW = 32  # events after which a reader yields to other tasks
_NEEDED = Begin | End | TaskEnd | ShutdownComplete | SessionConfigured | PlanProposed | ElicitationWithdrawn


class _Entry:
    """An event in the log; a delta grows until a reader takes it."""

    __slots__ = ("_event", "parts", "size", "taken")

    def __init__(self, event: Event) -> None:
        self._event = event
        self.parts: list[str] = []
        self.size = _size(event.msg)
        self.taken = False

    @property
    def msg(self) -> EventMsg:
        """The message as it was queued."""
        return self._event.msg

    @property
    def event(self) -> Event:
        """The event, including everything merged into it."""
        if self.parts:
            self._event = self._event.model_copy(update={"msg": merged(self._event.msg, self.parts)})
            self.parts = []
        return self._event

    def merge(self, msg: Delta) -> bool:
        """Merge `msg` into this entry if possible, and return whether it was merged."""
        grown = self.size + len(delta_text(msg))
        if self.taken or grown > LONGEST_DELTA or stream_of(self.msg) != stream_of(msg):
            return False
        self.parts.append(delta_text(msg))
        self.size = grown
        return True


class EventLog:
    """Numbers events and passes them to its readers."""

    def __init__(self) -> None:
        self.open = OpenItems()
        self._sequence: Counter[str] = Counter()
        self._readers: list[EventReader] = []
        self._mergeable: dict[Hashable, _Entry] = {}
        self._closed = False

    def publish(self, submission: str, msg: EventMsg, order: EventOrder | None = None) -> None:
        """Queue `msg` for every reader without waiting; has no effect after `close`."""
        if self._closed:
            return
        if isinstance(msg, Delta):
            item = stream_item(submission, msg, order)
            entry = self._mergeable.get(item)
            if entry is not None and entry.merge(msg):
                if isinstance(msg, AgentMessageDelta):
                    self.open.grow(msg.delta)
                for reader in self._readers:
                    reader.grown(len(delta_text(msg)))
                return
            entry = self._mergeable[item] = self._entry(submission, msg, order)
        else:
            self._mergeable.clear()
            entry = self._entry(submission, msg, order)
        self.open.observe(entry.event)
        for reader in self._readers:
            reader.put(entry)

    def _entry(self, submission: str, msg: EventMsg, order: EventOrder | None) -> _Entry:
        number = self._sequence[submission]
        self._sequence[submission] = number + 1
        # Not validated: our own typed parts need no check, and the first one would build the schemas of all events.
        event = Event.model_construct(id=submission, event_seq=number, msg=msg, order=order)
        return _Entry(event)

    def last_number(self, submission: str) -> int:
        """The last event number used for `submission`, or 0."""
        return max(0, self._sequence[submission] - 1)

    def reader(self, first: Iterable[Event] = ()) -> "EventReader":
        """Return a reader that gets `first` and then whatever is published from now on."""
        self.close_deltas()  # a delta that this reader missed must not grow
        reader = EventReader(self)
        for event in first:
            reader.put(_Entry(event))
        if self._closed:
            reader.end()
        else:
            self._readers.append(reader)
        return reader

    async def until_closed(self, question_id: str) -> None:
        """See `Conversation.until_closed`."""
        reader = self.reader()
        try:
            while question_id in self.open.questions:
                if await anext(reader, None) is None:
                    return
        finally:
            reader.close()

    def close_deltas(self) -> None:
        """Start a new event for the next delta of each item."""
        self._mergeable.clear()

    def leave(self, reader: "EventReader") -> None:
        """Stop queueing events for `reader`."""
        if reader in self._readers:
            self._readers.remove(reader)

    def close(self) -> None:
        """End each reader once it has read what is queued."""
        self._closed = True
        for reader in self._readers:
            reader.end()


class EventReader:
    """Iterates over events from its own position until the session ends.

    Cancelling a wait loses nothing: the next one continues from the same position.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._backlog: deque[_Entry] = deque()
        self._size = 0
        self._most_events = MOST_EVENTS
        self._most_characters = MOST_CHARACTERS
        self._ended = False
        self._arrival = anyio.Event()
        self._in_a_row = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._in_a_row += 1
        if self._in_a_row % TAKEN_IN_A_ROW:
            await anyio.lowlevel.checkpoint_if_cancelled()
        else:
            await anyio.lowlevel.checkpoint()
        while not self._backlog:
            if self._ended:
                raise StopAsyncIteration
            self._arrival = anyio.Event()
            await self._arrival.wait()
        return self._take()

    @property
    def waiting(self) -> int:
        """Number of events queued for this reader."""
        return len(self._backlog)

    def close(self) -> None:
        """Stop reading and discard what is queued."""
        self._log.leave(self)
        self._backlog.clear()
        self.end()

    def put(self, entry: _Entry) -> None:
        """Queue a log entry."""
        self._backlog.append(entry)
        self._size += entry.size
        self._arrival.set()
        self._check()

    def grown(self, characters: int) -> None:
        """Account for `characters` added to the newest entries."""
        self._size += characters
        self._check()

    def end(self) -> None:
        """End the reader after what is queued."""
        self._ended = True
        self._arrival.set()

    def _take(self) -> Event:
        entry = self._backlog.popleft()
        self._size -= entry.size
        entry.taken = True
        return entry.event

    def _check(self) -> None:
        if len(self._backlog) > self._most_events or self._size > self._most_characters:
            self._condense()

    def _condense(self) -> None:
        """Drop events that a reader far behind can do without."""
        self._log.close_deltas()  # a dropped delta must not grow
        older = list(self._backlog)
        newer = older[-ALWAYS_KEPT:] if len(older) > ALWAYS_KEPT else []
        older = older[: len(older) - ALWAYS_KEPT] if len(older) > ALWAYS_KEPT else older
        pairs = _pairs(entry.msg for entry in older)
        kept: list[_Entry] = []
        skipped, last = 0, None
        for number, entry in enumerate(older):
            if number not in pairs and self._needed(entry.msg):
                kept.append(entry)
            else:
                skipped += entry.msg.count if isinstance(entry.msg, EventsSkipped) else 1
                last = len(kept), entry
        if last is not None:
            position, entry = last
            kept.insert(
                position, _Entry(entry.event.model_copy(update={"msg": EventsSkipped(count=skipped)}))
            )
        self._backlog = deque([*kept, *newer])
        self._size = sum(entry.size for entry in self._backlog)
        # The rest may still exceed the limit; then the next pass waits until as much again has arrived.
        self._most_events = max(MOST_EVENTS, 2 * len(self._backlog))
        self._most_characters = max(MOST_CHARACTERS, 2 * self._size)

    def _needed(self, msg: EventMsg) -> bool:
        if isinstance(msg, Question):
            return question_id(msg) in self._log.open.questions
        return isinstance(msg, _NEEDED)


def _pairs(msgs: Iterable[EventMsg]) -> set[int]:
    """The positions of begins whose ends follow, and of these ends; a withdrawn elicitation is such a pair.

    An item may begin again after its end.
    """
    begun: dict[Hashable, int] = {}
    pairs: set[int] = set()
    for number, msg in enumerate(msgs):
        if isinstance(msg, Begin | ElicitationRequest):
            begun[item_of(msg)] = number
        elif (
            isinstance(msg, End | ElicitationWithdrawn)
            and (start := begun.pop(item_of(msg), None)) is not None
        ):
            pairs |= {start, number}
    return pairs


def _size(msg: EventMsg) -> int:
    """Approximate number of characters in an event."""
    if isinstance(msg, Delta):
        return len(delta_text(msg))
    if isinstance(msg, QueueChanged):
        return len(msg.entries)  # all queue events share the entries
    return _characters(msg)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    if isinstance(value, dict):
        return sum(map(_characters, value.values()))
    fields = getattr(value, "__dict__", None)
    return 0 if fields is None else sum(map(_characters, fields.values()))
