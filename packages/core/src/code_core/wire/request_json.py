"""The JSON of a request's body."""

import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from code_core.protocol.text import repaired


def encoded(body: dict[str, Any]) -> bytes:
    """`body` as UTF-8; what is not Unicode in it is repaired."""
    try:
        return to_json(body)
    except PydanticSerializationError:
        return repaired(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()
