"""Keeps outgoing lines below what every client reads: one that is longer would end some connections."""

import json
from typing import Any

from code_mcp_server.jsonrpc import Notification, encode

LONGEST_LINE = 8 * 2**20 - 64 * 1024
"""Bytes of one line. A known client reads 10 MiB."""
_TEXTS = (256 * 1024, 16 * 1024, 1024)
"""What is left of each text of a message that is too long: the first of these that helps."""


def fits(params: Any) -> bool:
    """Whether these parameters fit into a line."""
    return len(json.dumps(params)) < LONGEST_LINE


def bounded(line: bytes, message: Notification) -> bytes:
    """The line of `message`, or one that says less and is short enough."""
    for longest in _TEXTS:
        if len(line) <= LONGEST_LINE:
            break
        line = encode(Notification(message.method, _shortened(message.params, longest)))
    if len(line) <= LONGEST_LINE:
        return line
    return b""  # many thousands of short texts: no client could show them


def _shortened(value: Any, longest: int) -> Any:
    """`value` with every long text in it shortened, and a note of how much is missing; other long values are dropped."""
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
