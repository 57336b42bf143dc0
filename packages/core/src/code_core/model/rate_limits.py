"""Parses the rate-limit snapshot in a provider's response headers."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

_FIELDS = {
    "used-percent": "used_percent",
    "window-minutes": "window_minutes",
    "reset-after-seconds": "resets_in_seconds",
}


def rate_limit_snapshot(headers: Mapping[str, str]) -> dict[str, Any] | None:
    """Return usage of the primary and secondary window from `x-codex-*` headers, or None without any.

    Percentages range from 0 to 100; windows are in minutes and resets in seconds.
    """
    snapshot: dict[str, Any] = {}
    for window in ("primary", "secondary"):
        values = {
            name: _number(headers.get(f"x-codex-{window}-{header}")) for header, name in _FIELDS.items()
        }
        if values["used_percent"] is not None:
            snapshot[window] = {name: value for name, value in values.items() if value is not None}
    return snapshot or None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if isfinite(number) else None
