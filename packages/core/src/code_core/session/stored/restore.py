"""The state of a resumed or forked session. Pure: the store reads the file."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError

from code_core.frozen import frozen
from code_core.protocol.items import Message, ResponseItem
from code_core.protocol.ops import InputItem, OverrideTurnContext
from code_core.protocol.token_events import TokenUsage
from code_core.session.history.engine_notes import INTERRUPTED_TAG, is_users_own
from code_core.session.history.history import HistoryItem
from code_core.session.input_queue import InputQueue, QueuedInput
from code_core.session.session import LONGEST_PREVIEW, user_note
from code_core.session.settings import TurnSettings
from code_core.store.entries import Entry, EventEntry, JsonObject, SessionMeta, text_of

if TYPE_CHECKING:
    from code_core.store.restore import Restored

_log = logging.getLogger("code_core")

CUT_OFF_NOTE = (
    f"{INTERRUPTED_TAG}The turn above was cut off: the program ended, or the session was copied while it ran. "
    "Commands may have run partially; check before you rely on them.</turn_interrupted>"
)

_SETTINGS = ("cwd", "approval_policy", "sandbox_policy", "model", "effort", "summary", "collaboration_mode")


@frozen
class SessionState:
    """The restorable part of a session.

    Attributes:
        settings: the last recorded settings, without values that cannot be read.
        open_turn: the id of a turn that did not end (empty if it has none), or None if all turns ended.
        notes: sentences for the user about what had to be left out.
    """

    session_id: str | None = None
    items: tuple[HistoryItem, ...] = ()
    settings: OverrideTurnContext = field(default_factory=OverrideTurnContext.model_construct)
    queue: tuple[QueuedInput, ...] = ()
    name: str | None = None
    preview: str = ""
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: float = 0.0
    open_turn: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def from_store(cls, stored: "Restored", name: str | None = None) -> "SessionState":
        """Return the state of a stored session; its name is stored separately."""
        items, notes = _items_of(stored.items)
        return cls(
            session_id=stored.meta.id or None,
            items=items,
            settings=_settings_of(stored.turn_context),
            queue=_queue_of(stored.queue),
            name=name,
            preview=_preview_of(items),
            usage=_usage_of(stored.token_info),
            cost_usd=_cost_of(stored.token_info),
            open_turn=stored.open_turn,
            notes=(*stored.notes, *notes),
        )

    @classmethod
    def from_entries(cls, entries: Iterable[Entry]) -> "SessionState":
        """Return the state that results from journal entries, oldest first."""
        from code_core.store.replay import Replay  # a new session replays nothing

        replay, session_id, name = Replay(), None, None
        for entry in entries:
            replay.feed(entry)
            match entry:
                case SessionMeta(id=known):
                    session_id = session_id or known or None
                case EventEntry(name="session_renamed", event=event):
                    name = text_of(event, "name") or None
                case _:
                    pass
        items, notes = _items_of(replay.items)
        return cls(
            session_id=session_id,
            items=items,
            settings=_settings_of(replay.turn_context),
            queue=_queue_of(replay.queue.values()),
            name=name,
            preview=_preview_of(items),
            usage=_usage_of(replay.token_info),
            cost_usd=_cost_of(replay.token_info),
            open_turn=replay.open_turn,
            notes=notes,
        )

    def settings_over(self, configured: TurnSettings) -> TurnSettings:
        """Return the configured settings overridden by the recorded ones."""
        return configured.overridden(self.settings)

    def input_queue(self) -> InputQueue:
        """Return the queue as recorded."""
        return InputQueue(self.queue)

    def without_queue(self) -> "SessionState":
        """Return this state with an empty queue."""
        return replace(self, queue=())

    def noted(self, *notes: str) -> "SessionState":
        """Return this state with additional notes."""
        return replace(self, notes=(*self.notes, *notes))

    def before_last_inputs(self, number: int) -> "SessionState":
        """Return this state without the last `number` user inputs and everything after them."""
        inputs = [index for index, one in enumerate(self.items) if is_users_own(one.item)]
        if number <= 0 or not inputs:
            return self
        return replace(self, items=self.items[: inputs[-min(number, len(inputs))]], open_turn=None)

    def cut_off_note(self) -> HistoryItem | None:
        """Return the note to the model about a turn that did not end, or None if the turn did nothing."""
        if self.open_turn is None or not self.items:
            return None
        match self.items[-1].item:
            case Message(role="assistant"):
                return None
            case Message(text=text) if text.startswith(INTERRUPTED_TAG):
                return None
        return user_note(CUT_OFF_NOTE, self.open_turn or None)


def _items_of(stored: Sequence[JsonObject]) -> tuple[tuple[HistoryItem, ...], tuple[str, ...]]:
    items: list[HistoryItem] = []
    seen: dict[str, JsonObject] = {}
    left_out = 0
    for payload in stored:
        item_id = text_of(payload, "item_id")
        if item_id and seen.get(item_id) == payload:  # recorded twice after a journal timeout
            continue
        if not item_id or item_id in seen:
            item_id = f"item_{uuid4().hex}"
        try:
            item = _response_items().validate_python(payload)
        except ValidationError:
            left_out += 1
            continue
        seen[item_id] = payload
        turn_id, failed = text_of(payload, "turn_id") or None, payload.get("success") is False
        items.append(HistoryItem(item_id, item, turn_id, failed))
    if not left_out:
        return tuple(items), ()
    what = "1 item of the history was" if left_out == 1 else f"{left_out:,} items of the history were"
    return tuple(items), (f"{what} damaged and left out",)


def _settings_of(context: JsonObject) -> OverrideTurnContext:
    given: dict[str, Any] = {}
    for name in _SETTINGS:
        if name not in context:
            continue
        try:
            OverrideTurnContext.model_validate({name: context[name]})
        except ValidationError:
            _log.warning("the recorded setting %s cannot be read", name)
        else:
            given[name] = context[name]
    return OverrideTurnContext.model_validate(given)


def _queue_of(waiting: Iterable[EventEntry]) -> tuple[QueuedInput, ...]:
    """The entries of the queue that can be read."""
    queue: list[QueuedInput] = []
    for entry in waiting:
        try:
            items = tuple(_input_items().validate_python(entry.event.get("items")))
        except ValidationError:
            continue
        schema = entry.event.get("output_schema")
        if entry_id := text_of(entry.event, "id"):
            queue.append(QueuedInput(entry_id, "0", items, schema if isinstance(schema, dict) else None))
    return tuple(queue)


def _preview_of(items: Iterable[HistoryItem]) -> str:
    texts = (one.item.text for one in items if isinstance(one.item, Message) and is_users_own(one.item))
    return " ".join(next(texts, "").split())[:LONGEST_PREVIEW]


def _usage_of(info: JsonObject | None) -> TokenUsage:
    total = (info or {}).get("total_token_usage")
    try:
        return TokenUsage.model_validate(total) if isinstance(total, Mapping) else TokenUsage()
    except ValidationError:
        return TokenUsage()


def _cost_of(info: JsonObject | None) -> float:
    cost = (info or {}).get("total_cost_usd")
    return float(cost) if isinstance(cost, int | float) and 0 <= cost < math.inf else 0.0


@cache
def _response_items() -> TypeAdapter[ResponseItem]:
    return TypeAdapter(ResponseItem)


@cache
def _input_items() -> TypeAdapter[list[InputItem]]:
    return TypeAdapter(list[InputItem])
