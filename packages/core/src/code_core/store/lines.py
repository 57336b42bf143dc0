"""The lines of a rollout: one JSON object each, `{timestamp, type, payload}`. Nothing here does IO.

Codex 2026 adds `ordinal`, a running number; it and every other field that we do not
know is kept in `Line.extra`.
"""

import json
import re
from typing import NamedTuple

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
"""The bytes that a line may have; longer ones are neither written nor read."""

_KINDS: dict[str, type[Entry]] = {
    kind.TYPE: kind for kind in (SessionMeta, ItemEntry, Compacted, TurnContext, EventEntry, ForkEvent)
}
_OUTER = frozenset({"timestamp", "type", "payload"})
# How the programs that write rollouts begin a line; what begins otherwise is decoded to know its type.
_BEGINNING = re.compile(
    rb'\{"timestamp": ?"[^"\\]{0,40}", ?(?:"ordinal": ?\d{1,18}, ?)?"type": ?"([a-z_]{1,40})", ?'
    rb'"payload": ?\{(?:"type": ?"([a-z_]{1,60})")?'
)


class Glance(NamedTuple):
    """What the first bytes of a line tell: its type, and that of its payload where the payload begins with it."""

    type: str
    payload_type: str


class BadLine(ValueError):  # noqa: N818 - a state of the line
    """A line that is not a JSON object with a `type` and a `payload`."""


def encode(line: Line) -> bytes:
    """The bytes of `line`, its line feed included.

    Raises:
        ValueError: it holds what JSON cannot (a NaN, an object of ours, endless nesting), or it
            is longer than `LONGEST_LINE`.
    """
    extra = dict(line.extra or {})
    # In the order of Codex, so that `glance` knows the line.
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
    """The line that `data`, without its line feed, stands for.

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
    made = _KINDS.get(kind)
    entry = UnknownEntry(payload, kind) if made is None else made(payload)
    stamp = fields.get("timestamp")
    extra = {key: value for key, value in fields.items() if key not in _OUTER}
    return Line(entry, stamp if isinstance(stamp, str) else "", extra or None)


def glance(data: bytes) -> Glance | None:
    """What a line is by its first bytes alone; None where it takes decoding to know."""
    match = _BEGINNING.match(data)
    return None if match is None else Glance(match[1].decode(), (match[2] or b"").decode())
