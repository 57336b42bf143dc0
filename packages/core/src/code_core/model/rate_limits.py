"""The rate-limit snapshot that a provider sends in its headers."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

_FIELDS = {
    "used-percent": "used_percent",
    "window-minutes": "window_minutes",
    "reset-after-seconds": "resets_in_seconds",
}


def rate_limit_snapshot(headers: Mapping[str, str]) -> dict[str, Any] | None:
    """Usage of the primary and secondary window from `x-codex-*` headers; None without any.

    Percentages from 0 to 100, windows in minutes, resets in seconds.
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
