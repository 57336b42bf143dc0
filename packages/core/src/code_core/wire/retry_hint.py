"""Finds the delay that a provider asks for in an error message."""

import re

from code_core.lazy_pattern import lazy_pattern

_HINT = lazy_pattern(
    r"try again in\s{0,4}(\d{1,9}(?:\.\d{1,9})?)\s{0,4}(ms|s|seconds?|minutes?|m)\b", re.IGNORECASE
)
_UNIT_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "second": 1.0,
    "seconds": 1.0,
    "m": 60.0,
    "minute": 60.0,
    "minutes": 60.0,
}


def retry_delay(message: str) -> float | None:
    """Return the seconds in "try again in 1.3s", "28ms" or "35 seconds", or None."""
    if (hint := _HINT.search(message)) is None:
        return None
    return float(hint[1]) * _UNIT_SECONDS[hint[2].lower()]
