"""How long to wait before a model is asked again."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from code_core.model import retry
from code_core.model.retry import backoff, retry_after

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 0.2), (2, 0.4), (3, 0.8), (9, 51.2), (10, 60.0), (50, 60.0)]
)
def test_delays_double_up_to_a_minute_and_spread_by_a_tenth(
    monkeypatch: pytest.MonkeyPatch, attempt: int, seconds: float
) -> None:
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return high

    monkeypatch.setattr(retry.random, "uniform", uniform)  # type: ignore[attr-defined]  # what it imports
    assert backoff(attempt) == pytest.approx(1.1 * seconds)
    assert asked == [(0.9, 1.1)]


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after-ms": "0", "retry-after": "3"}, 0.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 09:28:30 +0200"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"retry-after": "Wed Oct 21 07:28:02 2026"}, 2.0),
    ],
)
def test_the_headers_say_how_long_to_wait(headers: dict[str, str], delay: float | None) -> None:
    assert retry_after(headers, NOW) == delay
    assert retry_after(headers, NOW.astimezone(timezone(timedelta(hours=2)))) == delay
