"""The JSON in a server-sent event."""

import json
from typing import Any

from pydantic_core import from_json

from code_core.protocol.text import repaired


def event_value(data: bytes) -> Any:
    """Return the decoded JSON of an event, with invalid Unicode repaired.

    Providers that cut text within a surrogate pair send lone surrogates.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        try:
            halves = json.loads(data.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deeply") from None
        return from_json(repaired(json.dumps(halves, ensure_ascii=False)))
