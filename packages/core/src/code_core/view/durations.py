"""Formats counts and durations for people."""

from datetime import datetime

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def counted(number: int, noun: str) -> str:
    """Return `number` with `noun`, in the plural if needed."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units, rounded up to minutes: "2 days 3 hours"."""
    if seconds < 60:
        return counted(max(round(seconds), 0), "second")
    left = -int(-seconds // 60) * 60
    parts: list[str] = []
    for unit, length in _UNITS:
        number, left = divmod(left, length)
        if number:
            parts.append(counted(int(number), unit))
    return " ".join(parts[:2])


def time_text(at: datetime, now: datetime) -> str:
    """Return the time of `at`, with its day unless that is the day of `now`; both in the reader's time zone."""
    clock = f"{at:%H:%M}"
    return clock if at.date() == now.date() else f"{at:%a %d %b} {clock}"
