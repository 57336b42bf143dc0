"""The entries of a rollout: what a session records, one entry per line.

The format is that of Codex (2025 and 2026) and just-every/code. Entries keep their complete
payload, so unknown fields survive a round trip. The properties read it defensively, because
a file may be older, newer or damaged. Nothing here does IO.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from code_core.frozen import frozen

JsonObject = Mapping[str, Any]

ORIGINATOR = "code_py"
"""The `originator` of rollouts that we create."""

WRITER = "writer"
"""The field that marks our lines in rollouts created by another program."""


@frozen
class Entry:
    """The base of all entries: a payload that is a JSON object. Only its subclasses are instantiated.

    A subclass without fields inherits everything and need not be decorated as a dataclass.
    """

    payload: JsonObject

    TYPE: ClassVar[str] = ""


class SessionMeta(Entry):
    """The first entry: who began the session, when and where."""

    __slots__ = ()
    TYPE: ClassVar[str] = "session_meta"

    @property
    def id(self) -> str:
        """The session's id, or an empty string."""
        return text_of(self.payload, "id")

    @property
    def forked_from(self) -> str | None:
        """The id of the session that this one was copied from."""
        return text_of(self.payload, "forked_from_id") or None


class ItemEntry(Entry):
    """An item of the history, in the wire shape of the Responses API."""

    __slots__ = ()
    TYPE: ClassVar[str] = "response_item"


class Compacted(Entry):
    """From here on the history is `replacement`; earlier entries are not needed to resume."""

    __slots__ = ()
    TYPE: ClassVar[str] = "compacted"

    @classmethod
    def of(cls, message: str, replacement: Sequence[JsonObject]) -> "Compacted":
        """Return the entry that replaces the whole history with `replacement`; `message` is the summary."""
        return cls({"message": message, "replacement_history": list(replacement)})

    @property
    def message(self) -> str:
        """The summary written by the model."""
        return text_of(self.payload, "message")

    @property
    def replacement(self) -> list[JsonObject] | None:
        """The new history; None in files from 2025, which store only the summary."""
        items = self.payload.get("replacement_history")
        if not isinstance(items, list):
            return None
        return [item for item in items if isinstance(item, dict)]


class TurnContext(Entry):
    """The settings of the next turn: `cwd`, `approval_policy`, `sandbox_policy`, `model`, `effort` and more."""

    __slots__ = ()
    TYPE: ClassVar[str] = "turn_context"


class EventEntry(Entry):
    """An event that a frontend may want to show again, or a marker that a resume reads.

    The payload is the event's `msg`. Deltas are not recorded.
    """

    __slots__ = ()
    TYPE: ClassVar[str] = "event_msg"

    @property
    def event(self) -> JsonObject:
        """The event itself."""
        return self.payload

    @classmethod
    def task_started(cls, turn_id: str) -> "EventEntry":
        """Return the entry for the start of a turn."""
        return cls({"type": "task_started", "turn_id": turn_id})

    @classmethod
    def user_message(cls, text: str) -> "EventEntry":
        """Return the entry for user input; Codex lists only sessions that contain one."""
        return cls({"type": "user_message", "message": text, "kind": "plain"})

    @classmethod
    def agent_message(cls, text: str) -> "EventEntry":
        """Return the entry for a model message; Codex shows a session's answers from these."""
        return cls({"type": "agent_message", "message": text})

    @classmethod
    def task_complete(cls, turn_id: str, last_agent_message: str | None) -> "EventEntry":
        """Return the entry for a turn that ended normally."""
        return cls({"type": "task_complete", "turn_id": turn_id, "last_agent_message": last_agent_message})

    @classmethod
    def turn_aborted(cls, turn_id: str, reason: str) -> "EventEntry":
        """Return the entry for a turn that was stopped: `interrupted`, `replaced` or similar."""
        return cls({"type": "turn_aborted", "turn_id": turn_id, "reason": reason})

    @classmethod
    def rolled_back(cls, turns: int) -> "EventEntry":
        """Return the entry that drops the last `turns` user messages and everything after them."""
        return cls({"type": "thread_rolled_back", "num_turns": turns})

    @property
    def name(self) -> str:
        """The event's `type`, or an empty string."""
        return text_of(self.event, "type")


class ForkEvent(EventEntry):
    """An event as just-every/code records it: `{id, event_seq, order?, msg}`, with the event in `msg`."""

    __slots__ = ()
    TYPE: ClassVar[str] = "event"

    @property
    def event(self) -> JsonObject:
        """The inner event; empty if it is not an object."""
        event = self.payload.get("msg")
        return event if isinstance(event, dict) else {}


@frozen
class UnknownEntry(Entry):
    """An entry of an unknown type, for example from a newer version."""

    type: str = ""


@frozen
class Line:
    """An entry and the other fields of its line.

    Attributes:
        timestamp: when it was written, in UTC as `2026-01-31T23:59:59.999Z`; empty if missing.
        extra: unknown fields of the line.
    """

    entry: Entry
    timestamp: str = ""
    extra: JsonObject | None = None

    @property
    def type(self) -> str:
        """The line's `type`."""
        return self.entry.type if isinstance(self.entry, UnknownEntry) else self.entry.TYPE


def text_of(payload: JsonObject, key: str) -> str:
    """Return the text at `key`, or an empty string if it is not text."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""
