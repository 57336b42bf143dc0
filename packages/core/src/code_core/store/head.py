"""Reads what lists show of a session from the first lines of its rollout."""

import os
from dataclasses import replace
from pathlib import Path

from code_core.store.entries import EventEntry, ItemEntry, JsonObject, SessionMeta, TurnContext, text_of
from code_core.store.errors import RolloutUnreadable
from code_core.store.layout import RolloutStat
from code_core.store.lines import BadLine, decode
from code_core.store.reading import Span
from code_core.store.record import SessionRecord
from code_core.store.restore import open_rollout
from code_core.store.user_messages import is_from_user, text_of_item

PREVIEW = 400
"""Characters of the first user message to keep."""

_HEAD = 2**20
"""Lines that begin after this many bytes are not read."""
_LONGEST = 32 * 2**20
"""Limit for the first message, because a prompt may be a whole book."""
_CHUNK = 2**15
_MOST_LINES = 100


def read_record(rollout: RolloutStat) -> SessionRecord:
    """Return the record of a rollout; if it cannot be read, only what its directory entry shows."""
    path = Path(rollout.path)
    record = SessionRecord(rollout.id, path, rollout.changed_ns, rollout.size, rollout.archived)
    try:
        descriptor = open_rollout(path)
    except RolloutUnreadable:
        return record
    try:
        return _with_head(record, Span(descriptor, 0, min(rollout.size, _HEAD + _LONGEST), chunk=_CHUNK))
    except OSError:
        return record
    finally:
        os.close(descriptor)


def _with_head(record: SessionRecord, head: Span) -> SessionRecord:
    for number, raw in enumerate(head.forwards()):
        if raw.data is None:
            continue
        try:
            line = decode(raw.data)
        except BadLine:
            continue
        match line.entry:
            case SessionMeta(payload=meta) if not record.created:
                record = _with_meta(record, meta, line.timestamp)
            case TurnContext(payload=context) if not record.model:
                record = replace(
                    record, model=text_of(context, "model"), cwd=record.cwd or text_of(context, "cwd")
                )
            case ItemEntry(payload=item) if not record.preview and is_from_user(item):
                record = replace(record, preview=_preview(text_of_item(item)))
            case EventEntry() as entry if not record.preview and entry.name == "user_message":
                record = replace(record, preview=_preview(text_of(entry.event, "message")))
            case EventEntry() as entry if not record.preview and entry.name == "input_queued":
                record = replace(record, preview=_preview(_text_of_input(entry.event.get("items"))))
            case _:
                pass
        complete = record.preview and record.model and record.created
        if number >= _MOST_LINES or raw.end > _HEAD or complete:
            break  # avoid reading the next line, which may be long
    return record


def _with_meta(record: SessionRecord, meta: JsonObject, timestamp: str) -> SessionRecord:
    git = meta.get("git")
    source = meta.get("source")
    return replace(
        record,
        created=text_of(meta, "timestamp") or timestamp or "-",
        cwd=text_of(meta, "cwd"),
        model_provider=text_of(meta, "model_provider"),
        git_branch=text_of(git, "branch") if isinstance(git, dict) else "",
        # Sub-agents have an object: {"subagent": …}.
        source=source
        if isinstance(source, str)
        else next(iter(source), "")
        if isinstance(source, dict)
        else "",
        originator=text_of(meta, "originator"),
        cli_version=text_of(meta, "cli_version"),
        forked_from=text_of(meta, "forked_from_id"),
    )


def _text_of_input(items: object) -> str:
    """User input that the model may not have received yet."""
    parts = items if isinstance(items, list) else []
    return "\n".join(filter(None, (text_of(part, "text") for part in parts if isinstance(part, dict))))


def _preview(text: str) -> str:
    """The beginning of `text` on one line; lone surrogates, which databases reject, become question marks."""
    line = " ".join(text[: PREVIEW * 4].split())[:PREVIEW]
    return line.encode("utf-8", "replace").decode()
