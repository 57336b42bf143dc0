"""Interprets failed responses: the message for the user, and whether to retry."""

import re
from typing import Any

from pydantic_core import from_json

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.lazy_pattern import lazy_pattern
from code_core.protocol.text import repaired
from code_core.protocol.token_events import TokenUsage
from code_core.view.visible import readable
from code_core.wire.error_codes import permanent_error
from code_core.wire.retry_hint import retry_delay

LONGEST_EXCERPT = 600
NO_ROOM = 16
"""Tokens of an answer below which the window, not the output limit, must have cut it off."""
_TOO_LONG_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
# Messages of servers without such a code: vLLM, LM Studio, Mistral, DeepSeek, OpenRouter, Ollama.
_TOO_LONG = lazy_pattern(
    r"maximum (?:context|model|input) length|exceeds? the (?:available |model's )?context|"
    r"context (?:size|window|length) (?:has been |is )?exceeded|greater than the context length|"
    # Ollama cuts a long prompt from its start, and then misses what it has cut off.
    r"context (?:the )?overflows|prompt is too long|no user query found in messages|"
    # OpenAI, for a request that alone exceeds the tokens allowed per minute.
    r"request too large for",
    re.IGNORECASE,
)
_RATE_LIMITS = frozenset({"rate_limit_exceeded", "rate_limit_error", "too_many_requests", "429"})
_WORTH_ANOTHER_TRY = frozenset({408, 409, 425, 429})
_MARKUP = lazy_pattern(
    r"<(?:style|script)\b.{0,20000}?</(?:style|script)>|<[^<>]{0,2000}>", re.DOTALL | re.IGNORECASE
)


def failure_of(error: dict[str, Any]) -> ModelError:
    """Return the exception for an API error object `{code, message}`."""
    code = excerpt(str(error.get("code") or error.get("type") or ""), 80)
    message = excerpt(str(error.get("message") or "no message"), 2000)
    if is_too_long(error):
        return ContextWindowExceeded(
            f"the conversation does not fit the model's context window: {message} (start a new one or compact it)"
        )
    if known := permanent_error(error):
        word, advice = known
        return RequestRefused(f"{advice} ({code}: {message})", code=word)
    status = int(code) if re.fullmatch(r"[1-9]\d\d", code) else 0
    if 400 <= status < 500 and status not in _WORTH_ANOTHER_TRY:
        word = {401: "auth", 402: "usage_limit", 403: "auth"}.get(status, "provider")
        return RequestRefused(f"the response failed ({status}): {message}", code=word)
    delay = retry_delay(message) if code in _RATE_LIMITS else None
    return StreamBroken(f"the response failed ({code or 'no code'}): {message}", delay=delay, code="provider")


def is_too_long(error: dict[str, Any]) -> bool:
    """Whether an API error object reports a request that exceeds the model's context window."""
    if str(error.get("code")) in _TOO_LONG_CODES or str(error.get("type")) in _TOO_LONG_CODES:
        return True
    message = error.get("message")
    return isinstance(message, str) and _TOO_LONG.search(message[:2000]) is not None


def incomplete(reason: str, usage: TokenUsage | None = None, max_output: int | None = None) -> ModelError:
    """Return the exception for a response that the provider cut off for `reason`.

    Args:
        reason: the provider's word for it.
        usage: the tokens of the response, if reported.
        max_output: the output limit that the request set, in tokens.
    """
    if reason == "content_filter":
        return RequestRefused("the provider's content filter stopped the response")
    if reason in {"max_output_tokens", "max_tokens", "length"}:
        if (
            usage is not None
            and usage.output_tokens < min(NO_ROOM, max_output or NO_ROOM) < usage.input_tokens
        ):
            return ContextWindowExceeded(
                "the prompt fills the model's context window and leaves no room for an answer "
                "(start a new conversation or compact it; a local server may have been started with a small window)"
            )
        return RequestRefused(
            "the response reached the model's output limit (max_output_tokens): ask for less at once",
            code="max_output",
        )
    return StreamBroken(f"the response is incomplete: {excerpt(reason, 80)}", code="provider")


def not_a_stream(body: str) -> ModelError:
    """Return the exception for a body without events, although its status was 200."""
    if error := error_object(body):
        return failure_of(error)
    if not body.strip():
        return StreamBroken("the stream closed before response.completed")
    return RequestRefused(
        f"the answer is not a stream of events: {excerpt(body) or 'no text'} "
        "(check base_url and any proxy in between)",
        code="provider",
    )


def error_object(body: str) -> dict[str, Any]:
    """Return the error in a JSON body as `{message, code?, type?, …}`, or an empty object.

    Providers wrap it in many ways: `{"error": {…}}`, `{"error": "text"}`, `{"message": …}`,
    `{"detail": …}`, `{"errors": [{…}]}`, or any of these in a list.
    """
    try:
        value = from_json(body)
    except ValueError:
        return {}
    return error_in(value)


def error_in(value: object) -> dict[str, Any]:
    """Like `error_object`, for decoded JSON."""
    if isinstance(value, list):
        return error_in(value[0]) if value else {}
    if not isinstance(value, dict):
        return {}
    match value:
        case {"error": dict(error)} if error:
            return _flattened(error, value)
        case {"errors": [dict(error), *_]}:
            return _flattened(error, value)
        case {"detail": dict(error)} if error:
            return error_in(error) or _flattened(error, value)
        case {"error": str(text)} | {"detail": str(text)} | {"errorMessage": str(text)} if text:
            return {**value, "message": text}
        case {"detail": [{"msg": str(text)}, *_]}:
            return {**value, "message": text}
        case {"message": str(text)} if text:
            return dict(value)
        case _:
            return {}


def _flattened(error: dict[str, Any], around: dict[str, Any]) -> dict[str, Any]:
    """`error` with its message as text; errors nested by proxies are unwrapped."""
    message = error.get("message")
    if isinstance(message, dict):
        return error_in(message) or error_in({"error": message})
    if not isinstance(message, str):
        message = error.get("msg") or error.get("detail") or around.get("message")
    return {**error, "message": message if isinstance(message, str) else None}


def excerpt(text: str, longest: int = LONGEST_EXCERPT) -> str:
    """Return the start of `text` on one line, without markup and control characters."""
    text = text[: 64 * 1024]
    if "<" in text:
        text = _MARKUP.sub(" ", text)
    line = " ".join(readable(repaired(text)).split())
    return line if len(line) <= longest else f"{line[:longest]}…"
