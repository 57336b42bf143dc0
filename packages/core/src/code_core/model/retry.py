"""How often, and after how long, a model is asked again."""

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
    """Retries within one turn: `request` until a response begins, `stream` after one broke."""

    request: int = 4
    stream: int = 5


def backoff(attempt: int) -> float:
    """Seconds before retry number `attempt` (from 1): doubling from 200 ms, ±10 %, at most a minute."""
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
    return jitter * min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a response's headers ask us to wait: `retry-after-ms`, else `Retry-After` in seconds or as a date.

    None without either, or where it makes no sense. A date that has passed means at once.
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
    if at.tzinfo is None:  # the form of asctime, which is always in UTC
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) and number >= 0 else None
