"""Retry limits and delays for requests to a model."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite

from code_core.frozen import frozen

FIRST_DELAY = 0.2
LONGEST_DELAY = 60.0
LONGEST_REQUESTED_DELAY = 300.0


@frozen
class RetryLimits:
    """Retries within one turn: `request` before a response begins, `stream` after one breaks."""

    request: int = 4
    stream: int = 5


def backoff(attempt: int) -> float:
    """Return the seconds before retry number `attempt` (from 1): doubling from 200 ms, ±10 %, at most a minute."""
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, not for security
    return jitter * min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the delay that a response asks for, from `retry-after-ms` or `Retry-After` (seconds or a date).

    None if both are missing or invalid. A date in the past means 0.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:  # asctime format, always in UTC
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None
