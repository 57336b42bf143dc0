"""How often, and after how long, a model is asked again."""

import random
from dataclasses import dataclass

FIRST_DELAY = 0.2
LONGEST_DELAY = 60.0
LONGEST_REQUESTED_DELAY = 300.0


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """Retries within one turn: `request` until a response begins, `stream` after one broke."""

    request: int = 4
    stream: int = 5


def backoff(attempt: int) -> float:
    """Seconds before retry number `attempt` (from 1): doubling from 200 ms, ±10 %, at most a minute."""
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing
    return jitter * min(FIRST_DELAY * 2.0 ** (attempt - 1), LONGEST_DELAY)


def retry_after(header: str | None) -> float | None:
    """Seconds from a `Retry-After` header; None without one, or where it is a date."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        return None
    return seconds if seconds >= 0 else None
