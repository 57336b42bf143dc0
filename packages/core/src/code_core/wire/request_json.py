"""Encodes request bodies as JSON."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from code_core.protocol.text import repaired


def encoded(body: dict[str, Any]) -> bytes:
    """Return `body` as UTF-8, with invalid Unicode repaired."""
    try:
        return to_json(body)
    except PydanticSerializationError:
        return repaired(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()
