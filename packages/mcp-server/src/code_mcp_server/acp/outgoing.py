"""Limits outgoing lines to what all clients can read, because a longer one would end some connections."""

import json
from typing import Any

from code_mcp_server.jsonrpc import Notification, encode

LONGEST_LINE = 8 * 2**20 - 64 * 1024
"""Limit for one line in bytes. A known client reads 10 MiB."""
_TEXTS = (256 * 1024, 16 * 1024, 1024)
"""Lengths to cut each text to in a message that is too long; the first sufficient one is used."""


def fits(params: Any) -> bool:
    """Whether these parameters fit into a line."""
    return len(json.dumps(params)) < LONGEST_LINE


def bounded(line: bytes, message: Notification) -> bytes:
    """Return the line of `message`, or a shortened version that fits."""
    for longest in _TEXTS:
        if len(line) <= LONGEST_LINE:
            break
        line = encode(Notification(message.method, _shortened(message.params, longest)))
    if len(line) <= LONGEST_LINE:
        return line
    return b""  # many thousands of short texts, which no client could show


def _shortened(value: Any, longest: int) -> Any:
    """`value` with long texts cut, noting how much is missing; other long values are dropped."""
    match value:
        case str() if len(value) > longest:
            return f"{value[:longest]}\n[{len(value) - longest:,} more characters are not shown]"
        case {"type": "image" | "audio" as kind, "data": str(data)} if len(data) > longest:
            return {"type": "text", "text": f"[{kind} of {len(data):,} characters of base64]"}
        case dict():
            return {name: _shortened(one, longest) for name, one in value.items()}
        case list():
            return [_shortened(one, longest) for one in value]
        case _:
            return value
