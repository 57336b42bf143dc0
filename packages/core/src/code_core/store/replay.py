"""Computes the state that results from the entries of a rollout. Nothing here does IO."""

from dataclasses import dataclass, field

from code_core.store.entries import (
    Compacted,
    Entry,
    EventEntry,
    ItemEntry,
    JsonObject,
    SessionMeta,
    TurnContext,
    UnknownEntry,
    text_of,
)
from code_core.store.user_messages import is_from_user, text_of_item

KEPT_USER_TEXT = 80_000
"""Characters of user messages kept by a compaction that recorded only its summary."""

MARKERS = frozenset(
    {
        "task_started",
        "turn_started",
        "task_complete",
        "turn_complete",
        "turn_aborted",
        "error",
        "thread_rolled_back",
        "token_count",
        "input_queued",
        "input_removed",
    }
)
"""The events that affect the state; the others are for frontends."""

_UNNEEDED = frozenset(
    {"world_state", "token_usage_record", "inter_agent_communication"}
)  # Codex 2026 writes them
_NEVER_SENT = frozenset({"ghost_snapshot", "other"})  # items that Codex keeps in the history for itself


@dataclass(slots=True)
class Replay:
    """The state of a session after the entries fed so far.

    Attributes:
        items: the history.
        turn_context: the settings of the last turn; empty if none were recorded.
        token_info: the last token count, as in the event `token_count`, or None.
        open_turn: the id of a turn that has not ended (empty if it has no id), or None if all turns ended.
        queue: queued input by id, as `input_queued` events, oldest first.
        unknown: the number of entries of each unknown type.
    """

    items: list[JsonObject] = field(default_factory=list)
    turn_context: JsonObject = field(default_factory=dict)
    token_info: JsonObject | None = None
    open_turn: str | None = None
    queue: dict[str, EventEntry] = field(default_factory=dict)
    unknown: dict[str, int] = field(default_factory=dict)

    def feed(self, entry: Entry) -> None:
        """Apply the next entry."""
        match entry:
            case ItemEntry(payload=item):
                if item.get("type") not in _NEVER_SENT:
                    self.items.append(item)
                self.queue.pop(text_of(item, "item_id"), None)  # now sent to the model
            case Compacted():
                self._compact(entry)
            case TurnContext(payload=context):
                self.turn_context = context
            case EventEntry():
                self._mark(entry)
            case UnknownEntry(type=kind) if kind not in _UNNEEDED:
                self.unknown[kind] = self.unknown.get(kind, 0) + 1
            case SessionMeta() | _:
                pass

    def _mark(self, entry: EventEntry) -> None:
        match entry.name:
            case "task_started" | "turn_started":
                self.open_turn = text_of(entry.event, "turn_id")
            case "task_complete" | "turn_complete" | "turn_aborted":
                self.open_turn = None
            case "error" if text_of(entry.event, "turn_id"):  # in Codex, an error does not end a turn
                self.open_turn = None
            case "thread_rolled_back":
                self._roll_back(turns_of(entry))
            case "token_count":
                info = entry.event.get("info")
                if isinstance(info, dict):
                    self.token_info = info
            case "input_queued":
                self.queue[text_of(entry.event, "id")] = entry
            case "input_removed":
                self.queue.pop(text_of(entry.event, "id"), None)

    def _roll_back(self, turns: int) -> None:
        begins = [number for number, item in enumerate(self.items) if is_from_user(item)]
        if turns > 0 and begins:
            del self.items[begins[-min(turns, len(begins))] :]

    def _compact(self, entry: Compacted) -> None:
        replacement = entry.replacement
        self.items = self._summarised(entry.message) if replacement is None else replacement

    def _summarised(self, summary: str) -> list[JsonObject]:
        """The history after a compaction from 2025: the latest user messages, then the summary."""
        kept: list[JsonObject] = []
        left = KEPT_USER_TEXT
        for item in reversed(self.items):
            if is_from_user(item):
                left -= len(text_of_item(item))
                if left < 0:
                    break
                kept.append(item)
        kept.reverse()
        text = f"A summary of the conversation so far:\n\n{summary}"
        return [*kept, {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}]


def turns_of(entry: EventEntry) -> int:
    """Return how many turns a `thread_rolled_back` event drops."""
    turns = entry.event.get("num_turns")
    return turns if isinstance(turns, int) and not isinstance(turns, bool) else 0
