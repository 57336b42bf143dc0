import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic_core import to_json

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.model.refusals import Answer, refusal, request_id
from code_core.model.retry import retry_after

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


def refused(
    status: int, body: Any = "", *, now: datetime = NOW, proxy: bool = False, **headers: str
) -> ModelError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, str) else to_json(body).decode()
    return refusal(Answer(status, named, text), "P (https://p)", " in P_KEY", now, key_proxy=proxy)


def error(**fields: Any) -> dict[str, Any]:
    return {"error": fields}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "words"),
    [
        (
            401,
            error(message="bad key"),
            RequestRefused,
            "auth",
            r"answered 401 .*bad key\. Check the API key in P_KEY",
        ),
        (403, "no", RequestRefused, "auth", "answered 403 .*: no$"),
        (407, "", RequestRefused, "auth", "the proxy in HTTPS_PROXY"),
        (400, error(message="odd"), RequestRefused, "provider", "odd"),
        (
            400,
            error(code="context_length_exceeded", message="x"),
            ContextWindowExceeded,
            "context_window",
            "window",
        ),
        (404, "", RequestRefused, "provider", "no body"),
        (404, "<html><h1>Not\nFound</h1>", RequestRefused, "provider", ": Not Found$"),
        (400, {"detail": "Invalid\x1b[2J type"}, RequestRefused, "provider", r": Invalid\\x1b\[2J type$"),
        (
            429,
            error(type="usage_limit_reached"),
            RequestRefused,
            "usage_limit",
            "the usage limit is reached$",
        ),
        (429, error(type="usage_not_included"), RequestRefused, "usage_limit", "plan does not include"),
        (429, error(code="usage_not_included"), RequestRefused, "usage_limit", "plan does not include"),
        (429, error(code="insufficient_quota", message="x"), RequestRefused, "usage_limit", "no quota left"),
        (429, error(message="busy"), StreamBroken, "provider", "busy"),
        (
            429,
            error(type="insufficient_quota", code="credit_balance_exhausted", message="x"),
            RequestRefused,
            "usage_limit",
            "no quota left",
        ),
        (
            429,
            error(type="tokens", message="Request too large for m"),
            ContextWindowExceeded,
            "context_window",
            "window",
        ),
        (
            429,
            error(type="rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
            RequestRefused,
            "usage_limit",
            "no quota left",
        ),
        (500, error(code="content_policy_violation", message="x"), RequestRefused, "refused", "usage policy"),
        (500, error(type="invalid_request_error", message="x"), StreamBroken, "provider", "x"),
        (503, error(code="slow_down", message="x"), StreamBroken, "provider", "x"),
        (403, error(code=403, message="x", metadata={"reasons": ["r"]}), RequestRefused, "refused", "x"),
        (402, error(code=402, message="no credits"), RequestRefused, "usage_limit", "no credits"),
        *(
            (status, "busy", StreamBroken, "provider", "busy")
            for status in (408, 409, 425, 500, 502, 503, 504, 506, 520, 529)
        ),
        *((status, "never", RequestRefused, "provider", "never") for status in (501, 505, 511)),
    ],
)
def test_an_answer_determines_whether_to_retry(
    status: int, body: Any, kind: type[ModelError], code: str, words: str
) -> None:
    problem = refused(status, body)
    assert type(problem) is kind
    assert problem.code == code
    assert re.search(words, str(problem), re.DOTALL)
    assert not isinstance(problem, StreamBroken) or not problem.opened


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, 0.0),
        ({"retry-after": "Wed Oct 21 07:28:02 2026"}, 2.0),
        ({"retry-after": "9", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "9", "retry-after-ms": "x"}, 9.0),
    ],
)
def test_the_delay_that_a_provider_asks_for(headers: dict[str, str], delay: float | None) -> None:
    assert retry_after(headers, NOW) == delay
    problem = refusal(Answer(503, headers, "busy"), "P", "", NOW)
    assert isinstance(problem, StreamBroken)
    assert problem.delay == delay


@pytest.mark.parametrize(
    ("status", "headers", "again"),
    [
        (400, {"x_should_retry": "true"}, True),
        (503, {"x_should_retry": "false"}, False),
        (503, {"x_should_retry": "perhaps"}, True),
        (401, {"x_should_retry": "true"}, False),
        (402, {"retry_after": "2"}, True),
        (402, {}, False),
    ],
)
def test_a_provider_may_decide_about_a_retry(status: int, headers: dict[str, Any], again: bool) -> None:
    assert isinstance(refused(status, "x", **headers), StreamBroken) == again


def test_a_delay_in_the_headers_overrides_one_in_the_message() -> None:
    words = error(message="try again in 7 seconds")
    assert refused(429, words).delay == 7.0  # type: ignore[attr-defined]  # a StreamBroken
    assert refused(429, words, retry_after="0").delay == 0.0  # type: ignore[attr-defined]  # the same


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (
            "https://new.example.com/v2/responses",
            "to https://new.example.com/v2/responses, .*set base_url to https://new.example.com/v2$",
        ),
        ("https://new.example.com/v1/chat/completions", "set base_url to https://new.example.com/v1$"),
        (f"https://p/{'x' * 400}", f"to https://p/{'x' * 290}…, "),
        ("https://new.example.com/v2/responses/", "set base_url to https://new.example.com/v2$"),
        (
            "https://me:secret@new.example.com/login?token=secret",
            "to https://new.example.com/login, .*check base_url$",
        ),
        ("/v2/responses", "to /v2/responses, .*check base_url$"),
        ("", "redirects without a target"),
        ("https://[", "redirects to an invalid URL"),
    ],
)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_a_redirect_names_its_target(status: int, location: str, words: str) -> None:
    problem = refused(status, location=location)
    assert isinstance(problem, RequestRefused)
    assert problem.code == "provider"
    assert re.search(words, str(problem))
    assert "secret" not in str(problem)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resets_in_seconds": 30}, r"resets in 30 seconds \(at 09:28\)"),
        ({"resets_in_seconds": 60}, r"resets in 1 minute \(at 09:29\)"),
        ({"resets_in_seconds": 61}, r"resets in 2 minutes \("),
        ({"resets_in_seconds": 5400}, r"resets in 1 hour 30 minutes \(at 10:58\)"),
        (
            {"resets_in_seconds": 2 * 86400 + 3 * 3600 + 60},
            r"resets in 2 days 3 hours \(at Fri 23 Oct 12:29\)",
        ),
        (
            {"resets_at": NOW.timestamp() + 3600, "plan_type": "plus"},
            r"limit of plan 'plus' .*resets in 1 hour \(at 10:28\)",
        ),
        ({"resets_in_seconds": 0}, r"resets in 0 seconds \(at 09:28\)"),
        ({"resets_in_seconds": -5}, "is reached$"),
        ({"resets_in_seconds": 366 * 86400 - 1}, r"resets in 366 days \("),
        ({"resets_in_seconds": 366 * 86400}, "is reached$"),
        ({"resets_in_seconds": 1e12}, "is reached$"),
        ({"resets_in_seconds": "soon"}, "is reached$"),
    ],
)
def test_a_usage_limit_says_when_it_ends_in_local_time(fields: dict[str, Any], words: str) -> None:
    here = NOW.astimezone(timezone(timedelta(hours=2)))
    problem = refused(429, error(type="usage_limit_reached", **fields), now=here)
    assert re.search(words, str(problem))


def test_provider_errors_are_reported_as_without_the_key_proxy() -> None:
    unreachable = error(type="proxy_error", message="no connection to the upstream p")
    problem = refused(502, unreachable, proxy=True)
    assert isinstance(problem, StreamBroken)
    assert not problem.opened
    assert str(problem) == "P (https://p) cannot be reached: no connection to the upstream p"
    assert "answered 502" in str(refused(502, unreachable))
    untrusted = refused(
        502,
        error(type="proxy_error", message="no TLS connection to the upstream p: self-signed certificate"),
        proxy=True,
    )
    assert isinstance(untrusted, RequestRefused)
    assert untrusted.code == "provider"
    assert "P (https://p): its certificate is not trusted (self-signed certificate): " in str(untrusted)
    assert "SSL_CERT_FILE" in str(untrusted)
    other = refused(
        502,
        error(type="proxy_error", message="no TLS connection to the upstream p: WRONG_VERSION_NUMBER"),
        proxy=True,
    )
    assert isinstance(other, StreamBroken)


@pytest.mark.parametrize(
    "name", ["x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "cf-ray"]
)
def test_the_request_id_is_found_under_many_names(name: str) -> None:
    assert request_id({name: "r-1\x1b[0m"}) == "r-1"
    assert request_id({name: "1" * 100}) == "1" * 80 + "…"
    assert request_id({}) is None
    assert "(request id none)" in str(refused(400))
