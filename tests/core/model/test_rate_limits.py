import pytest

from code_core.model.rate_limits import rate_limit_snapshot

USED = "x-codex-primary-used-percent"


@pytest.mark.parametrize(
    ("headers", "snapshot"),
    [
        ({}, None),
        ({USED: "12.5"}, {"primary": {"used_percent": 12.5}}),
        (
            {USED: "1", "x-codex-primary-window-minutes": "300", "x-codex-primary-reset-after-seconds": "x"},
            {"primary": {"used_percent": 1.0, "window_minutes": 300.0}},
        ),
        ({"x-codex-secondary-used-percent": "3"}, {"secondary": {"used_percent": 3.0}}),
        ({"x-codex-primary-window-minutes": "300"}, None),
        *(({USED: odd}, None) for odd in ("", "many", "nan", "inf")),
    ],
)
def test_rate_limits_are_read_from_headers(headers: dict[str, str], snapshot: object) -> None:
    assert rate_limit_snapshot(headers) == snapshot
