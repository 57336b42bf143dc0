"""Restores a session from as much of its rollout as needed."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from code_core.frozen import frozen
from code_core.store.entries import (
    ORIGINATOR,
    WRITER,
    Compacted,
    Entry,
    EventEntry,
    ItemEntry,
    JsonObject,
    Line,
    SessionMeta,
)
from code_core.store.errors import RolloutUnreadable
from code_core.store.layout import id_of, open_private
from code_core.store.lines import LONGEST_LINE, BadLine, decode, glance
from code_core.store.reading import RawLine, Span
from code_core.store.replay import MARKERS, Replay
from code_core.store.user_messages import is_context_of_codex, is_from_user

MOST_HISTORY = 16 * 2**20
"""Limit on restored items, in bytes; more than any model's window holds."""

MOST_SCANNED = 128 * 2**20
"""Bytes searched, from the end, for the entry at which the history begins."""

_HEAD = 2**20
_SETTINGS_SCANNED = 4 * 2**20
_TURN_MARKERS = frozenset(
    {"task_started", "turn_started", "task_complete", "turn_complete", "turn_aborted", "error"}
)
_CALLS = {"function_call": "function_call_output", "local_shell_call": "function_call_output"} | {
    "custom_tool_call": "custom_tool_call_output"
}


@frozen
class Restored:
    """A session as restored from its rollout.

    Attributes:
        meta: the first entry; derived from the file name if missing.
        items: the history as Responses API items in JSON; may include calls without results.
        turn_context: the settings of the last turn.
        token_info: `{total_token_usage, last_token_usage, model_context_window}`, or None.
        queue: queued input as `input_queued` events, oldest first.
        open_turn: the id of a turn that has not ended (empty if it has no id), or None if all turns ended.
        next_ordinal: the sequence number of the next line, in files whose lines have one.
        foreign: whether another program created the session.
        notes: what was repaired, skipped or left out, one sentence each.
    """

    meta: SessionMeta
    items: list[JsonObject]
    turn_context: JsonObject
    token_info: JsonObject | None
    queue: tuple[EventEntry, ...]
    open_turn: str | None
    next_ordinal: int | None
    foreign: bool
    notes: tuple[str, ...]


@dataclass(slots=True)
class Skipped:
    """Counts what a reader could not use."""

    broken: int = 0
    too_long: int = 0
    torn_end: bool = False

    def notes(self) -> Iterator[str]:
        """Yield a sentence for each kind."""
        if self.torn_end:
            yield "the last line was incomplete and was skipped"
        if self.broken:
            yield f"{_count(self.broken, 'line')} could not be read and {_were(self.broken)} skipped"
        if self.too_long:
            limit = LONGEST_LINE // 2**20
            lines = _count(self.too_long, "line")
            yield f"{lines} longer than {limit} MiB {_were(self.too_long)} skipped"


@dataclass(slots=True)
class LineReader:
    """Decodes the lines of a file and counts what it skips."""

    skipped: Skipped = field(default_factory=Skipped)

    def decoded(self, raw: RawLine) -> Line | None:
        """Return the line, or None if it is skipped."""
        if raw.data is None:
            self.skipped.too_long += 1
            return None
        if not raw.data.strip():
            return None
        try:
            return decode(raw.data)
        except BadLine:
            if raw.whole:
                self.skipped.broken += 1
            else:
                self.skipped.torn_end = True
            return None


def open_rollout(path: Path) -> int:
    """Open a rollout for reading and return the descriptor.

    Raises:
        RolloutUnreadable: the file does not exist or is not readable.
    """
    try:
        return open_private(path, os.O_RDONLY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise RolloutUnreadable(f"cannot read the session {path}: {reason}") from error


def restore(path: Path) -> Restored:
    """Restore the session whose rollout is at `path`.

    The cost depends on the history, not on the size of the file: it is read from the end back to the
    last compaction, or up to `MOST_HISTORY`.

    Raises:
        RolloutUnreadable: the file cannot be read or is not a rollout.
    """
    descriptor = open_rollout(path)
    try:
        size = os.fstat(descriptor).st_size
        meta = _meta(path, descriptor, size)
        foreign = is_foreign(meta)
        start, cut = _beginning_of_history(descriptor, size)
        reader = LineReader()
        replay = _replay_of_settings(descriptor, start)
        last: Line | None = None
        for raw in Span(descriptor, start, size).forwards():
            if _is_needless(raw):
                continue
            line = reader.decoded(raw)
            if line is not None:
                replay.feed(_without_context(line) if foreign else line.entry)
                last = line
        ordinal = _last_ordinal(descriptor, size) if last is not None and _ordinal(last) is not None else None
    except OSError as error:
        raise RolloutUnreadable(f"cannot read the session {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    items = replay.items
    if cut:
        first = next((number for number, item in enumerate(items) if is_from_user(item)), 0)
        del items[:first]
    notes = [*reader.skipped.notes(), *_notes(replay, items, cut=cut)]
    next_ordinal = None if ordinal is None else ordinal + 1
    return Restored(
        meta=meta,
        items=items,
        turn_context=replay.turn_context,
        token_info=replay.token_info,
        queue=tuple(replay.queue.values()),
        open_turn=replay.open_turn,
        next_ordinal=next_ordinal,
        foreign=foreign,
        notes=tuple(notes),
    )


def read_meta(path: Path) -> SessionMeta:
    """Return the first entry of the rollout at `path`, or one derived from its name if that is damaged.

    Raises:
        RolloutUnreadable: the file cannot be read or is not a rollout.
    """
    descriptor = open_rollout(path)
    try:
        return _meta(path, descriptor, os.fstat(descriptor).st_size)
    except OSError as error:
        raise RolloutUnreadable(f"cannot read the session {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def is_foreign(meta: SessionMeta) -> bool:
    """Whether another program created the session."""
    return meta.payload.get("originator") != ORIGINATOR


def _without_context(line: Line) -> Entry:
    """The entry of a file that another program created, without the instructions for that program's model."""
    if (line.extra or {}).get(WRITER) == ORIGINATOR:
        return line.entry
    match line.entry:
        case ItemEntry(payload=item) if is_context_of_codex(item):
            return EventEntry({})
        case Compacted(payload=payload, replacement=list(items)):
            kept = [item for item in items if not is_context_of_codex(item)]
            return Compacted({**payload, "replacement_history": kept})
        case entry:
            return entry


def _meta(path: Path, descriptor: int, size: int) -> SessionMeta:
    """The first entry or, if the head of the file is damaged, one derived from its name.

    Copied entries of another session may follow, with its id: the file name takes precedence.
    """
    reader = LineReader()
    payload: JsonObject = {}
    for raw in Span(descriptor, 0, size).forwards():
        line = reader.decoded(raw)
        if line is not None and isinstance(line.entry, SessionMeta) and line.entry.id:
            payload = line.entry.payload
            break
        if raw.end > _HEAD:
            break
    session_id = id_of(path.name) or payload.get("id")
    if not session_id:
        raise RolloutUnreadable(
            f"{path} is not a session: it has no session_meta line, and no id in its name"
        )
    return SessionMeta({**payload, "id": session_id})


def _replay_of_settings(descriptor: int, end: int) -> Replay:
    """The state before `end` that a compaction does not replace: settings, tokens, an open turn."""
    latest: dict[str, Line] = {}
    for raw in Span(descriptor, 0, end).backwards():
        seen = None if raw.data is None else glance(raw.data)
        key = ""
        if seen is not None and seen.type == "turn_context":
            key = "context"
        elif seen is not None and seen.payload_type in _TURN_MARKERS:
            key = "turn"
        elif seen is not None and seen.payload_type == "token_count":
            key = "tokens"
        if key and key not in latest:
            line = LineReader().decoded(raw)
            if line is not None:
                latest[key] = line
        if len(latest) == 3 or end - raw.offset > _SETTINGS_SCANNED:
            break
    replay = Replay()
    for line in latest.values():
        replay.feed(line.entry)
    return replay


def _beginning_of_history(descriptor: int, size: int) -> tuple[int, bool]:
    """The offset at which to start reading, and whether earlier history is left out."""
    items = 0
    offset = 0
    for raw in Span(descriptor, 0, size).backwards():
        offset = raw.offset
        if raw.data is not None:
            seen = glance(raw.data)
            kind = _decoded_type(raw.data) if seen is None else seen.type
            if kind == Compacted.TYPE and _replaces_history(raw.data):
                return offset, False
            if kind in {"response_item", "compacted"}:
                items += len(raw.data)
        if items > MOST_HISTORY or size - offset > MOST_SCANNED:
            return offset, offset > 0
    return 0, False


def _decoded_type(data: bytes) -> str:
    try:
        return decode(data).type
    except BadLine:
        return ""


def _replaces_history(data: bytes) -> bool:
    try:
        entry = decode(data).entry
    except BadLine:
        return False
    return isinstance(entry, Compacted) and entry.replacement is not None


def _is_needless(raw: RawLine) -> bool:
    """Whether the line is an event that only frontends read, which need not be decoded."""
    seen = None if raw.data is None or not raw.whole else glance(raw.data)
    return seen is not None and seen.type == "event_msg" and seen.payload_type not in {"", *MARKERS}


def _ordinal(line: Line) -> int | None:
    ordinal = (line.extra or {}).get("ordinal")
    return ordinal if isinstance(ordinal, int) and not isinstance(ordinal, bool) else None


def _last_ordinal(descriptor: int, size: int) -> int | None:
    """The highest of the last sequence numbers; the final line may be incomplete."""
    reader = LineReader()
    for raw in Span(descriptor, 0, size).backwards():
        line = reader.decoded(raw)
        if line is not None:
            return _ordinal(line)
    return None


def _notes(replay: Replay, items: list[JsonObject], *, cut: bool) -> Iterator[str]:
    if replay.unknown:
        count = sum(replay.unknown.values())
        kinds = ", ".join(repr(kind[:40]) for kind in sorted(replay.unknown)[:3])
        yield f"{_count(count, 'line')} of a type unknown to this version ({kinds}) {_were(count)} ignored"
    if cut:
        yield f"only the last {MOST_HISTORY // 2**20} MiB of the history were restored; the file keeps the rest"
    if replay.open_turn is not None:
        yield "the last turn did not end"
    unanswered, repeated = _unanswered_and_repeated(items)
    if unanswered:
        yield f"{_count(unanswered, 'tool call')} without a result {'counts' if unanswered == 1 else 'count'} as aborted"
    if repeated:
        yield f"{_count(repeated, 'tool call')} with an id used before {_were(repeated)} dropped"


def _unanswered_and_repeated(items: list[JsonObject]) -> tuple[int, int]:
    calls: dict[object, str] = {}
    repeated = 0
    answered: set[object] = set()
    for item in items:
        kind, call_id = item.get("type"), item.get("call_id")
        if not isinstance(kind, str) or not isinstance(call_id, str):
            continue
        if kind in _CALLS:
            repeated += call_id in calls
            calls.setdefault(call_id, _CALLS[kind])
        elif calls.get(call_id) == kind:
            answered.add(call_id)
    return len(calls) - len(answered), repeated


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
