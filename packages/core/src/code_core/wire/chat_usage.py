"""Finds the token usage in a Chat Completions response, wherever the server puts it."""

from typing import Any

from code_core.protocol.token_events import TokenUsage


def usage_in(chunk: dict[str, Any], choice: dict[str, Any] | None) -> TokenUsage | None:
    """Return the usage in `chunk`, or None.

    It is in `usage`, in `x_groq.usage`, or in the choice (Moonshot). Cached tokens are in
    `prompt_tokens_details`, `prompt_cache_hit_tokens` (DeepSeek), or `cached_tokens` (Moonshot).
    """
    usage = _dict(chunk.get("usage")) or _dict(_dict(chunk.get("x_groq")).get("usage"))
    usage = usage or _dict((choice or {}).get("usage"))
    if not usage:
        return None
    read = _first(usage, "prompt_tokens", "input_tokens")
    written = _first(usage, "completion_tokens", "output_tokens")
    cached = _count(_dict(usage.get("prompt_tokens_details")).get("cached_tokens"))
    reasoning = _count(_dict(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    total = _count(usage.get("total_tokens"))
    return TokenUsage(
        input_tokens=read,
        cached_input_tokens=cached or _first(usage, "prompt_cache_hit_tokens", "cached_tokens"),
        output_tokens=written,
        reasoning_output_tokens=reasoning,
        total_tokens=total or read + written,
    )


def _first(usage: dict[str, Any], *names: str) -> int:
    return next((count for name in names if (count := _count(usage.get(name)))), 0)


def _count(value: object) -> int:
    return max(value, 0) if isinstance(value, int) and not isinstance(value, bool) else 0


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
