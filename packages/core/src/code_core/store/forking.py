"""Copies a rollout up to a turn, for a session that continues from there."""

import os
from pathlib import Path

from code_core.store.entries import Entry, EventEntry, ItemEntry, Line, SessionMeta, TurnContext
from code_core.store.errors import StoreError
from code_core.store.layout import make_private_directory, open_private
from code_core.store.lines import encode, glance
from code_core.store.reading import RawLine, Span
from code_core.store.replay import turns_of
from code_core.store.restore import LineReader, open_rollout
from code_core.store.user_messages import is_context_of_codex, is_from_user

_COPIED = 8 * 2**20
_OPENING = {"task_started", "turn_started"}
_CLOSING = {"task_complete", "turn_complete", "turn_aborted", "thread_rolled_back"}


def copy_rollout(source: Path, target: Path, meta: SessionMeta, timestamp: str, drop_last: int) -> None:
    """Write a rollout that begins with `meta` and continues with `source` up to its `drop_last`-th last turn.

    Uses constant memory; the copy shares blocks with the source if the file system can.

    Raises:
        RolloutUnreadable: `source` cannot be read.
        StoreError: it has fewer turns, or `target` cannot be written.
    """
    descriptor = open_rollout(source)
    try:
        size = os.fstat(descriptor).st_size
        end = _whole_end(descriptor, size) if drop_last == 0 else _cut(descriptor, size, drop_last)
        if end is None:
            raise StoreError(f"cannot drop the last {drop_last} turns of {source}: it has fewer")
        begin = _after_meta(descriptor, end)
        try:
            _write(descriptor, begin, end, target, encode(Line(meta, timestamp)))
        except OSError as error:
            raise StoreError(f"cannot write the fork {target}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _write(source: int, begin: int, end: int, target: Path, head: bytes) -> None:
    make_private_directory(target.parent)
    out = open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        while head:
            head = head[os.write(out, head) :]
        while begin < end:
            data = os.pread(source, min(_COPIED, end - begin), begin)
            if not data:
                break
            begin += len(data)
            while data:
                data = data[os.write(out, data) :]
        os.fsync(out)
    except BaseException:
        os.unlink(target)  # noqa: PTH108 - next to calls on descriptors
        raise
    finally:
        os.close(out)


def _whole_end(descriptor: int, size: int) -> int:
    """The end of the last complete line: an incomplete one would corrupt the line appended after it."""
    last = next(Span(descriptor, 0, size).backwards(), None)
    return size if last is None or last.whole else last.offset


def _after_meta(descriptor: int, end: int) -> int:
    first = next(Span(descriptor, 0, end).forwards(), None)
    line = None if first is None else LineReader().decoded(first)
    return first.end if first is not None and line is not None and isinstance(line.entry, SessionMeta) else 0


def _cut(descriptor: int, size: int, drop_last: int) -> int | None:
    """The offset of the `drop_last`-th last turn, or None if there are fewer.

    Turns that were rolled back do not count.
    """
    reader = LineReader()
    rolled_back = 0
    counted = 0
    for raw in Span(descriptor, 0, size).backwards():
        entry = _entry_of_interest(reader, raw)
        if isinstance(entry, EventEntry) and entry.name == "thread_rolled_back":
            rolled_back += turns_of(entry)
        elif isinstance(entry, ItemEntry) and is_from_user(entry.payload):
            if rolled_back:
                rolled_back -= 1
                continue
            counted += 1
            if counted == drop_last:
                return _beginning_of_turn(descriptor, raw.offset)
    return None


def _beginning_of_turn(descriptor: int, message: int) -> int:
    """The offset of the turn whose user message is at `message`.

    This is its marker, even if the turn began with a compaction; in files without markers, it is
    the settings directly before the message.
    """
    reader = LineReader()
    settings = message
    for raw in Span(descriptor, 0, message).backwards():
        entry = _entry_of_interest(reader, raw)
        name = _event_name(raw, entry)
        if name in _OPENING:
            return raw.offset
        if name in _CLOSING or isinstance(entry, SessionMeta):
            break
        if isinstance(entry, ItemEntry) and is_from_user(entry.payload):
            break
        if settings == raw.end and _is_setting(entry):
            settings = raw.offset
    return settings


def _entry_of_interest(reader: LineReader, raw: RawLine) -> Entry | None:
    """The entry, decoded only if it may be a message, a marker or unusual."""
    seen = None if raw.data is None else glance(raw.data)
    if seen is not None and (
        (seen.type == "response_item" and seen.payload_type not in {"message", ""})
        or (seen.type == "event_msg" and seen.payload_type not in {"thread_rolled_back", ""})
    ):
        return None
    line = reader.decoded(raw)
    return None if line is None else line.entry


def _is_setting(entry: Entry | None) -> bool:
    return isinstance(entry, TurnContext) or (
        isinstance(entry, ItemEntry) and is_context_of_codex(entry.payload)
    )


def _event_name(raw: RawLine, entry: Entry | None) -> str:
    if isinstance(entry, EventEntry):
        return entry.name
    seen = None if raw.data is None else glance(raw.data)
    return seen.payload_type if seen is not None and seen.type == "event_msg" else ""
