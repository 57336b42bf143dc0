"""Interprets HTTP answers other than 200: the message for the user, and whether to retry."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.frozen import frozen
from code_core.model.network import CERTIFICATE_ADVICE
from code_core.model.retry import retry_after
from code_core.view.durations import duration_text, time_text
from code_core.wire.error_codes import permanent_error
from code_core.wire.failures import error_object, excerpt, failure_of, is_too_long
from code_core.wire.retry_hint import retry_delay

_REQUEST_IDS = ("x-request-id", "request-id", "apim-request-id", "x-ms-request-id", "cf-ray")
_MAY_BE_TOO_LONG = frozenset({400, 413, 422, 429, 500})  # llama.cpp answers 500 in some versions
_USAGE_KINDS = {"usage_limit_reached", "usage_not_included"}
_NOT_IMPLEMENTED = frozenset({501, 505, 511})
"""Statuses from 500 on that do not go away: a method, a version, a network that wants a login."""


@frozen
class Answer:
    """An HTTP answer other than 200.

    Attributes:
        body: the start of the body, as text.
    """

    status: int
    headers: Mapping[str, str]
    body: str


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id that the provider's support uses to find a request."""
    found = next((value for name in _REQUEST_IDS if (value := headers.get(name))), None)
    return None if found is None else excerpt(found, 80)


def refusal(
    answer: Answer, where: str, key_source: str, now: datetime, *, key_proxy: bool = False
) -> ModelError:
    """Return the error for `answer`.

    Args:
        answer: the provider's answer.
        where: the provider, for the user.
        key_source: where the key comes from, as part of a sentence; empty without a key.
        now: the time, in the user's time zone.
        key_proxy: whether the answer may come from the proxy that holds the key.
    """
    status = answer.status
    described = f"{where} answered {status} (request id {request_id(answer.headers) or 'none'})"
    error = error_object(answer.body)
    kind, code = str(error.get("type")), str(error.get("code"))
    message = excerpt(str(error.get("message") or answer.body)) or "no body"
    if kind == "proxy_error" and key_proxy:
        if "no TLS connection" in message and "certificate" in message.lower():
            return untrusted(where, message.rpartition(": ")[2])
        return StreamBroken(f"{where} cannot be reached: {message}", opened=False)
    if status in _MAY_BE_TOO_LONG and is_too_long(error):
        return failure_of(error)
    known = permanent_error(error, has_status=True)
    match status:
        case 401:
            return RequestRefused(f"{described}: {message}. Check the API key{key_source}.", code="auth")
        case 403:
            return RequestRefused(f"{described}: {message}", code="auth" if known is None else known[0])
        case 407:
            return RequestRefused(
                f"{described}: the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY requires a password",
                code="auth",
            )
        case _ if 300 <= status < 400:
            return RequestRefused(f"{described}: {_moved(answer.headers)}", code="provider")
        case 429 if kind in _USAGE_KINDS or code in _USAGE_KINDS:
            return RequestRefused(f"{described}: {_usage_limit(error, now)}", code="usage_limit")
        case _ if known is not None:
            word, advice = known
            return RequestRefused(f"{described}: {advice} ({message})", code=word)
        case _ if _is_transient(answer, now):
            delay = retry_after(answer.headers, now)
            delay = retry_delay(message) if delay is None else delay
            return StreamBroken(f"{described}: {message}", delay=delay, opened=False, code="provider")
        case 402:
            return RequestRefused(f"{described}: {message}", code="usage_limit")
        case _:
            return RequestRefused(f"{described}: {message}", code="provider")


def _is_transient(answer: Answer, now: datetime) -> bool:
    """Whether the request may succeed later; the providers of OpenAI's and Anthropic's SDKs may say so themselves."""
    match answer.headers.get("x-should-retry", "").lower(), answer.status:
        case "true", _:
            return True
        case "false", _:
            return False
        case _, 402:  # OpenRouter, while the budget is taken by requests in flight
            return retry_after(answer.headers, now) is not None
        case _, (408 | 409 | 425 | 429):
            return True
        case _, status:
            return status >= 500 and status not in _NOT_IMPLEMENTED


def untrusted(where: str, reason: str) -> RequestRefused:
    """Return the error for a certificate that cannot be verified; retrying would not help."""
    return RequestRefused(
        f"{where}: its certificate is not trusted ({excerpt(reason, 300)}): {CERTIFICATE_ADVICE}",
        code="provider",
    )


def _moved(headers: Mapping[str, str]) -> str:
    """Describe where a redirect leads, without possible secrets in its URL."""
    target = headers.get("location", "")
    try:
        parts = urlsplit(target)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "it redirects to an invalid URL"
    shown = excerpt(f"{parts.scheme}://{host}{parts.path}" if host else parts.path, 300)
    if not shown:
        return "it redirects without a target"
    advice = shown.removesuffix("/").removesuffix("/responses").removesuffix("/chat/completions")
    hint = f"set base_url to {advice}" if host and advice != shown else "check base_url"
    return f"it redirects to {shown}, which is not followed, because it could lead the key elsewhere: {hint}"


def _usage_limit(error: dict[str, Any], now: datetime) -> str:
    if "usage_not_included" in (error.get("type"), error.get("code")):
        return "the plan does not include this use: upgrade it or use an API key"
    plan = f" of plan {excerpt(error['plan_type'], 40)!r}" if isinstance(error.get("plan_type"), str) else ""
    seconds = _seconds_to_reset(error, now)
    if seconds is None:
        return f"the usage limit{plan} is reached"
    at = time_text(now + timedelta(seconds=seconds), now)
    return f"the usage limit{plan} is reached; it resets in {duration_text(seconds)} (at {at})"


def _seconds_to_reset(error: dict[str, Any], now: datetime) -> float | None:
    match error:
        case {"resets_in_seconds": int(seconds) | float(seconds)}:
            pass
        case {"resets_at": int(at) | float(at)}:
            seconds = at - now.timestamp()
        case _:
            return None
    return float(seconds) if 0 <= seconds < 366 * 86_400 else None
