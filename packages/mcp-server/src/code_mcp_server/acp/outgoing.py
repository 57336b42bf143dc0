"""Keeps outgoing lines below what every client reads: one that is longer would end some connections."""

import json
from typing import Any

LONGEST_LINE = 8 * 2**20 - 64 * 1024
"""Bytes of one line. A known client reads 10 MiB."""
CUT_TEXT = 256 * 1024
"""Characters that are left of a text that is too long."""


def fits(params: Any) -> bool:
    """Whether these parameters fit into a line; as most are small, nothing is encoded in vain."""
    return len(json.dumps(params)) < LONGEST_LINE


def shortened(value: Any, longest: int = CUT_TEXT) -> Any:
    """`value` with each long text in it cut, and a note on how much; text that is data is left out whole."""
    match value:
        case str() if len(value) > longest:
            return f"{value[:longest]}\n[{len(value) - longest:,} more characters are not shown]"
        case {"type": "image" | "audio", "data": str(data)} if len(data) > longest:
            return {"type": "text", "text": f"[{value['type']} of {len(data):,} characters of base64]"}
        case dict():
            return {name: shortened(one, longest) for name, one in value.items()}
        case list():
            return [shortened(one, longest) for one in value]
        case _:
            return value
