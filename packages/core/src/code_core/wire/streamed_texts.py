"""Finds the pieces of streamed text in an event, by text, because a secret may be spread over several pieces."""

from collections.abc import Iterator, Sequence
from typing import Any

from code_core.wire.chat_reasoning import FIELDS, thinking_text

Source = tuple[str, *tuple[int | None, ...]]
"""The kind of a text, and the indexes of what it belongs to."""


def streamed_texts(event: dict[str, Any]) -> Iterator[tuple[Source, str]]:
    """Yield the pieces in a decoded Responses API event or Chat Completions chunk."""
    match event:
        case {"type": str(kind), "delta": str(text)}:
            yield (kind, _index(event.get("output_index"))), text
        case {"choices": [*choices]}:
            for choice in choices:
                if isinstance(choice, dict):
                    delta = choice.get("delta") or choice.get("message")
                    if isinstance(delta, dict):
                        yield from _of_delta(delta, _index(choice.get("index")))
        case _:
            pass


def _of_delta(delta: dict[str, Any], choice: int | None) -> Iterator[tuple[Source, str]]:
    for name in ("content", "refusal", *FIELDS):
        for part in _parts(delta.get(name)):
            match part:
                case str(text) | {"text": str(text)}:
                    yield (name, choice), text
                case {"type": "thinking", "thinking": inner}:
                    yield ("thinking", choice), thinking_text(inner)
                case _:
                    pass
    for name in ("tool_calls", "function_call", "reasoning_details"):
        for part in _parts(delta.get(name)):
            if isinstance(part, dict):
                function = part.get("function")
                fields = function if isinstance(function, dict) else part
                for key in ("arguments", "text", "summary", "data"):
                    if isinstance(piece := fields.get(key), str):
                        yield (f"{name}.{key}", choice, _index(part.get("index"))), piece


def _parts(value: object) -> Sequence[object]:
    """The entries of a list; some servers send a single entry by itself."""
    return value if isinstance(value, list) else [value]


def _index(value: object) -> int | None:
    return value if isinstance(value, int) else None
