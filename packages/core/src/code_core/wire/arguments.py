"""Sanitises call arguments for sending back: models write invalid JSON, which strict servers reject."""

import json
from math import isfinite
from typing import Any

from pydantic_core import from_json

from code_core.protocol.text import repaired

NO_ARGUMENTS = "{}"


def sendable_arguments(text: str) -> str:
    """Return `text` if it is a JSON object, otherwise the closest one.

    NaN and infinities become null and lone surrogates U+FFFD, because JSON cannot express them.
    Anything but an object becomes `{}`; the call's output says what was wrong with it.
    """
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        value = _lenient(text)
        text = "" if value is None else repaired(json.dumps(value, ensure_ascii=False))
    return text if isinstance(value, dict) else NO_ARGUMENTS


def _lenient(text: str) -> Any:
    try:
        return _finite(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _finite(value: Any) -> Any:
    match value:
        case float() if not isfinite(value):
            return None
        case dict():
            return {name: _finite(inner) for name, inner in value.items()}
        case list():
            return [_finite(inner) for inner in value]
        case _:
            return value
