"""The JSON in a server-sent event."""

import json
from typing import Any

from pydantic_core import from_json

from code_core.protocol.text import repaired


def event_value(data: bytes) -> Any:
    """The decoded JSON of an event; text in it that is not Unicode is repaired.

    Providers that cut a text between the halves of a surrogate pair send halves.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        try:
            halves = json.loads(data.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deep") from None
        return from_json(repaired(json.dumps(halves, ensure_ascii=False)))
