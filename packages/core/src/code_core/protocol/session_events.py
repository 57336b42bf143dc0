"""Events about the session itself: its queue, settings and history, and late readers."""

from typing import TYPE_CHECKING, Literal

from code_core.protocol.items import ResponseItem
from code_core.protocol.model import ProtocolModel, UnknownModel
from code_core.protocol.ops import InputItem, ReviewTarget
from code_core.protocol.text import FilePath, Text


class QueueEntry(ProtocolModel):
    """Input that waits for the model; the operations that edit or remove it use its `id`."""

    id: Text
    items: list[InputItem]


class QueueChanged(ProtocolModel):
    """The complete current queue, oldest entry first."""

    type: Literal["queue_changed"] = "queue_changed"
    entries: list[QueueEntry]


class SettingsChanged(ProtocolModel):
    """All settings of the next turn."""

    type: Literal["settings_changed"] = "settings_changed"
    model: Text
    effort: Text | None = None
    summary: Text | None = None
    cwd: FilePath
    approval_policy: Text
    sandbox_mode: Text
    collaboration_mode: Text = "default"


class SessionRenamed(ProtocolModel):
    """The session has a new name, or null if the name was removed."""

    type: Literal["session_renamed"] = "session_renamed"
    name: Text | None = None


class ContextCompacted(ProtocolModel):
    """A summary has replaced the history; `before` and `after` are its estimated sizes in tokens."""

    type: Literal["context_compacted"] = "context_compacted"
    before: int
    after: int
    automatic: bool = False
    summary: Text | None = None


class UndoAvailable(ProtocolModel):
    """How many turns can now be undone and redone."""

    type: Literal["undo_available"] = "undo_available"
    undo: int
    redo: int


class UndoCompleted(ProtocolModel):
    """Files were restored to their state before or after a turn.

    Attributes:
        files: the restored files.
        kept: files that were left alone, because the user has changed them since.
    """

    type: Literal["undo_completed"] = "undo_completed"
    action: Literal["undo", "redo"]
    turn_id: Text
    files: list[FilePath]
    kept: list[FilePath] = []


class TypedEntry(ProtocolModel):
    """A line that the user entered, with its session and its time in seconds since 1970."""

    session_id: Text
    ts: int
    text: Text


class GetHistoryEntryResponse(ProtocolModel):
    """An entry of the user's input history; null if it does not exist or the history has been replaced.

    Attributes:
        log_id: the log that contains the entry; 0 without a log.
        offset: the number of the entry.
        count: the number of entries in the log.
    """

    type: Literal["get_history_entry_response"] = "get_history_entry_response"
    log_id: int
    offset: int
    count: int
    entry: TypedEntry | None = None


class EnteredReviewMode(ProtocolModel):
    """A review of changes has begun."""

    type: Literal["entered_review_mode"] = "entered_review_mode"
    target: ReviewTarget
    description: Text


class ExitedReviewMode(ProtocolModel):
    """The review has ended; `review` is null if it produced no result."""

    type: Literal["exited_review_mode"] = "exited_review_mode"
    review: Text | None = None


class EventsSkipped(ProtocolModel):
    """This reader fell so far behind that `count` events were left out.

    The envelope is that of the last one. Ends of tasks, open questions and begins without their end are never left out.
    """

    type: Literal["events_skipped"] = "events_skipped"
    count: int


class SnapshotItem(ProtocolModel):
    """One item of the history; `id` and `turn_id` stay the same when the session is resumed."""

    id: Text
    turn_id: Text | None = None
    item: ResponseItem


class SessionSnapshot(ProtocolModel):
    """The state of the session: the first event for a reader that joins late.

    Begins, questions and partial text that are still open follow in their original envelopes, and
    then new events.
    """

    type: Literal["session_snapshot"] = "session_snapshot"
    session_id: Text
    name: Text | None = None
    preview: Text
    settings: SettingsChanged
    items: list[SnapshotItem]
    queue: list[QueueEntry]
    turn_id: Text | None = None


class UnknownEvent(UnknownModel):
    """An event of an unknown type with all its fields."""

    if TYPE_CHECKING:  # any text at run time; declared this way so that type checkers can narrow the union
        type: Literal["unknown"]
