"""The entries of a rollout: what a session records, one entry per line.

The format is that of Codex (2025 and 2026) and of just-every/code. An entry keeps its
payload whole, so fields that we do not know survive a round trip, and the properties
read it defensively: a file may be older, newer or damaged. Nothing here does IO.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from code_core.frozen import frozen

JsonObject = Mapping[str, Any]

ORIGINATOR = "code_py"
"""What stands as `originator` in the rollouts that we begin."""

WRITER = "writer"
"""The field of a line that tells our lines from the others in rollouts that another program began."""


@frozen
class Entry:
    """What every entry has: a payload, a JSON object. Not made itself, but as one of its kinds.

    A kind without a field of its own inherits everything, and need not be made a dataclass again.
    """

    payload: JsonObject

    TYPE: ClassVar[str] = ""


class SessionMeta(Entry):
    """The first entry: who began the session, when and where."""

    __slots__ = ()
    TYPE: ClassVar[str] = "session_meta"

    @property
    def id(self) -> str:
        """The session's id, or an empty text."""
        return text_of(self.payload, "id")

    @property
    def forked_from(self) -> str | None:
        """The id of the session that this one continues a copy of."""
        return text_of(self.payload, "forked_from_id") or None


class ItemEntry(Entry):
    """An item of the history, in the wire shape of the Responses API."""

    __slots__ = ()
    TYPE: ClassVar[str] = "response_item"


class Compacted(Entry):
    """From here on the history is `replacement`; nothing before this entry is needed to resume."""

    __slots__ = ()
    TYPE: ClassVar[str] = "compacted"

    @classmethod
    def of(cls, message: str, replacement: Sequence[JsonObject]) -> "Compacted":
        """The entry that replaces the whole history by the items of `replacement`; `message` is the summary."""
        return cls({"message": message, "replacement_history": list(replacement)})

    @property
    def message(self) -> str:
        """The summary that the model wrote."""
        return text_of(self.payload, "message")

    @property
    def replacement(self) -> list[JsonObject] | None:
        """The items that are the history now; None in files of 2025, which store the summary alone."""
        items = self.payload.get("replacement_history")
        if not isinstance(items, list):
            return None
        return [item for item in items if isinstance(item, dict)]


class TurnContext(Entry):
    """The settings of the turn that follows: `cwd`, `approval_policy`, `sandbox_policy`, `model`, `effort` and more."""

    __slots__ = ()
    TYPE: ClassVar[str] = "turn_context"


class EventEntry(Entry):
    """An event that a frontend may want to show again, and the markers that a resume reads.

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
        """A turn begins."""
        return cls({"type": "task_started", "turn_id": turn_id})

    @classmethod
    def user_message(cls, text: str) -> "EventEntry":
        """The user wrote something; Codex lists only sessions that have this."""
        return cls({"type": "user_message", "message": text, "kind": "plain"})

    @classmethod
    def agent_message(cls, text: str) -> "EventEntry":
        """The model wrote something; Codex shows the answers of a session by these."""
        return cls({"type": "agent_message", "message": text})

    @classmethod
    def task_complete(cls, turn_id: str, last_agent_message: str | None) -> "EventEntry":
        """The turn ended well."""
        return cls({"type": "task_complete", "turn_id": turn_id, "last_agent_message": last_agent_message})

    @classmethod
    def turn_aborted(cls, turn_id: str, reason: str) -> "EventEntry":
        """The turn was stopped: `interrupted`, `replaced` or the like."""
        return cls({"type": "turn_aborted", "turn_id": turn_id, "reason": reason})

    @classmethod
    def rolled_back(cls, turns: int) -> "EventEntry":
        """The history ends before its `turns`-th last user message from here on."""
        return cls({"type": "thread_rolled_back", "num_turns": turns})

    @property
    def name(self) -> str:
        """The event's `type`, or an empty text."""
        return text_of(self.event, "type")


class ForkEvent(EventEntry):
    """An event as just-every/code records it: `{id, event_seq, order?, msg}`, the event within `msg`."""

    __slots__ = ()
    TYPE: ClassVar[str] = "event"

    @property
    def event(self) -> JsonObject:
        """The event within; empty where something else is."""
        event = self.payload.get("msg")
        return event if isinstance(event, dict) else {}


@frozen
class UnknownEntry(Entry):
    """An entry of a type that we do not know, such as one of a newer version."""

    type: str = ""


@frozen
class Line:
    """An entry with what stands around it in its line.

    Attributes:
        timestamp: when it was written, in UTC as `2026-01-31T23:59:59.999Z`; empty if the line has no timestamp.
        extra: the fields of the line that we do not know.
    """

    entry: Entry
    timestamp: str = ""
    extra: JsonObject | None = None

    @property
    def type(self) -> str:
        """The line's `type`."""
        return self.entry.type if isinstance(self.entry, UnknownEntry) else self.entry.TYPE


def text_of(payload: JsonObject, key: str) -> str:
    """The text at `key`, or an empty one where something else is."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""
