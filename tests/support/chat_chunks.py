"""Builders for chunks of Chat Completions."""

import json
from typing import Any

Chunk = dict[str, Any]


def chunk(delta: dict[str, Any] | None, finish_reason: str | None = None, **more: Any) -> Chunk:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def role() -> Chunk:
    return chunk({"role": "assistant", "content": None})


def text(content: str) -> Chunk:
    return chunk({"content": content})


def reasoning(content: str, field: str = "reasoning_content") -> Chunk:
    return chunk({field: content})


def call(name: str, arguments: Any, call_id: str, index: int = 0) -> Chunk:
    """A whole call in one chunk."""
    given = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": given}
    return chunk({"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]})


def arguments(piece: str, index: int = 0) -> Chunk:
    return chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})


def finish(reason: str = "stop") -> Chunk:
    return chunk({}, reason)


def usage(prompt: int = 10, completion: int = 5, **more: Any) -> Chunk:
    counts = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **more,
    }
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [], "usage": counts}
