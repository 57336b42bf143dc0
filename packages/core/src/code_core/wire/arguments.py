"""The arguments of a call as a provider takes them back: models write what is not JSON, and strict servers refuse it."""

import json
from math import isfinite
from typing import Any

from pydantic_core import from_json

from code_core.protocol.text import repaired

NO_ARGUMENTS = "{}"


def sendable_arguments(text: str) -> str:
    """`text` if it is a JSON object; else the nearest one.

    NaN and infinities become null and lone surrogates U+FFFD, as no other JSON has them.
    What is not an object at all becomes `{}`: the call's output says what was wrong with it.
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
