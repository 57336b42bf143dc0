"""Counts and lengths of time as people read them."""

from datetime import datetime

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def counted(number: int, noun: str) -> str:
    """`number` with `noun`, in the plural where it needs one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration_text(seconds: float) -> str:
    """A length of time in its two largest units, minutes rounded up: "2 days 3 hours"."""
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
    """The time of `at`, with its day unless that is the day of `now`; both in the reader's time zone."""
    clock = f"{at:%H:%M}"
    return clock if at.date() == now.date() else f"{at:%a %d %b} {clock}"
