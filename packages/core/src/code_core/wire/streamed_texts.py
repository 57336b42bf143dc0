"""Finds the pieces of streamed text in an event, by text, because a secret may be spread over several pieces."""

from collections.abc import Iterator
from typing import Any

from code_core.wire.chat_reasoning import FIELDS, thinking_text

Source = tuple[str, int | None]


def streamed_texts(event: dict[str, Any]) -> Iterator[tuple[Source, str]]:
    """Yield the pieces in a decoded Responses API event or Chat Completions chunk."""
    match event:
        case {"type": str(kind), "delta": str(text)}:
            yield (kind, _index(event.get("output_index"))), text
        case {"choices": [*choices]}:
            for choice in choices:
                if isinstance(choice, dict) and isinstance(delta := choice.get("delta"), dict):
                    yield from _of_delta(delta)
        case _:
            pass


def _of_delta(delta: dict[str, Any]) -> Iterator[tuple[Source, str]]:
    for name in ("content", "refusal", *FIELDS):
        if isinstance(whole := delta.get(name), str):
            yield (name, None), whole
    content = delta.get("content")
    for part in content if isinstance(content, list) else ():
        match part:
            case {"type": "thinking", "thinking": inner}:
                yield ("thinking", None), thinking_text(inner)
            case {"text": str(text)}:
                yield ("content", None), text
            case _:
                pass
    for name in ("tool_calls", "reasoning_details"):
        parts = delta.get(name)
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                index = _index(part.get("index"))
                function = part.get("function")
                inner = function if isinstance(function, dict) else part
                for key in ("arguments", "text", "summary", "data"):
                    if isinstance(piece := inner.get(key), str):
                        yield (f"{name}.{key}", index), piece


def _index(value: object) -> int | None:
    return value if isinstance(value, int) else None
