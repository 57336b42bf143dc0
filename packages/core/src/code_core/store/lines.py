"""The lines of a rollout: JSON objects `{timestamp, type, payload}`. Nothing here does IO.

Codex 2026 adds `ordinal`, a sequence number; it and all other unknown fields are kept in
`Line.extra`.
"""

import json
from typing import NamedTuple

from code_core.lazy_pattern import lazy_pattern
from code_core.store.entries import (
    Compacted,
    Entry,
    EventEntry,
    ForkEvent,
    ItemEntry,
    JsonObject,
    Line,
    SessionMeta,
    TurnContext,
    UnknownEntry,
)

LONGEST_LINE = 64 * 2**20
"""Limit in bytes; longer lines are neither written nor read."""

_KINDS: dict[str, type[Entry]] = {
    kind.TYPE: kind for kind in (SessionMeta, ItemEntry, Compacted, TurnContext, EventEntry, ForkEvent)
}
_OUTER = frozenset({"timestamp", "type", "payload"})
# How programs that write rollouts begin a line; other lines must be decoded to find their type.
_BEGINNING = lazy_pattern(
    rb'\{"timestamp": ?"[^"\\]{0,40}", ?(?:"ordinal": ?\d{1,18}, ?)?"type": ?"([a-z_]{1,40})", ?'
    rb'"payload": ?\{(?:"type": ?"([a-z_]{1,60})")?'
)


class Glance(NamedTuple):
    """What the first bytes of a line show: its type, and that of its payload if the payload begins with it."""

    type: str
    payload_type: str


class BadLine(ValueError):  # noqa: N818 - a state of the line
    """A line that is not a JSON object with a `type` and a `payload`."""


def encode(line: Line) -> bytes:
    """Return the bytes of `line`, including its line feed.

    Raises:
        ValueError: it contains something that JSON cannot express (NaN, a Python object, endless
            nesting), or is longer than `LONGEST_LINE`.
    """
    extra = dict(line.extra or {})
    # In the key order of Codex, so that `glance` recognises the line.
    first = {"ordinal": extra.pop("ordinal")} if "ordinal" in extra else {}
    fields = {"timestamp": line.timestamp, **first, "type": line.type, "payload": line.entry.payload, **extra}
    try:
        data = _text(fields)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if len(data) >= LONGEST_LINE:
        raise ValueError(f"it has {len(data) / 2**20:.0f} MiB, more than {LONGEST_LINE // 2**20} MiB")
    return data + b"\n"


def _text(fields: JsonObject) -> bytes:
    try:
        return json.dumps(fields, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON carries as an escape
        return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()


def decode(data: bytes) -> Line:
    """Decode a line from `data`, without its line feed.

    Raises:
        BadLine: it is not UTF-8, not JSON, or not an object with a `type` and an object as `payload`.
    """
    try:
        fields = json.loads(str(data, "utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadLine("not a JSON object")
    kind, payload = fields.get("type"), fields.get("payload")
    if not isinstance(kind, str) or not isinstance(payload, dict):
        raise BadLine("no type or no payload")
    entry_type = _KINDS.get(kind)
    entry = UnknownEntry(payload, kind) if entry_type is None else entry_type(payload)
    stamp = fields.get("timestamp")
    extra = {key: value for key, value in fields.items() if key not in _OUTER}
    return Line(entry, stamp if isinstance(stamp, str) else "", extra or None)


def glance(data: bytes) -> Glance | None:
    """Return what the first bytes show about a line, or None if it must be decoded."""
    match = _BEGINNING.match(data)
    return None if match is None else Glance(match[1].decode(), (match[2] or b"").decode())
