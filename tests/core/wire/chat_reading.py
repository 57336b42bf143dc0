"""Reads streams of Chat Completions in tests."""

import json
from collections.abc import Iterable
from typing import Any

from code_core.errors import ModelError
from code_core.protocol.items import FunctionCall, Message, Reasoning
from code_core.protocol.token_events import TokenUsage
from code_core.wire.chat_reader import ChatReader
from code_core.wire.response_events import Completed, ItemDone, ResponseEvent, TextDelta
from code_core.wire.sse import SseParser


def sse_bytes(chunks: Iterable[dict[str, Any] | bytes], *, done: bool = True) -> bytes:
    """`chunks` as a server sends them; bytes as they are."""
    parts = [
        chunk if isinstance(chunk, bytes) else f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks
    ]
    return b"".join([*parts, b"data: [DONE]\n\n" if done else b""])


def read_bytes(*pieces: bytes) -> list[ResponseEvent]:
    """The response events of a stream that came in `pieces`; raises what the reader raises."""
    parser, reader = SseParser(), ChatReader(1, "p/m")
    events: list[ResponseEvent] = []
    for event in [one for piece in pieces for one in parser.feed(piece)] + parser.end():
        if not reader.finished:
            events += reader.feed(event)
    return [*events, *reader.end()]


def read(*chunks: dict[str, Any] | bytes, done: bool = True) -> list[ResponseEvent]:
    return read_bytes(sse_bytes(chunks, done=done))


def outcome(*pieces: bytes) -> list[ResponseEvent] | str:
    """The events, or the error as text."""
    try:
        return read_bytes(*pieces)
    except ModelError as error:
        return f"{type(error).__name__} {error.code}: {error}"


def shape(events: Iterable[ResponseEvent]) -> list[Any]:
    """The relevant parts of the events: texts, calls, reasoning, usage."""
    shown: list[Any] = []
    for event in events:
        match event:
            case ItemDone(item=Message() as item):
                shown.append(item.text)
            case ItemDone(item=FunctionCall() as item):
                shown.append((item.name, item.arguments, item.call_id))
            case ItemDone(item=Reasoning() as item):
                shown.append({"reasoning": "".join(part.text for part in item.content or ())})
            case Completed(usage=TokenUsage() as usage):
                shown.append((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens))
            case _:
                pass
    return shown


def shown_text(events: Iterable[ResponseEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextDelta))


def delta(value: dict[str, Any] | None, finish: str | int | None = None, **more: Any) -> dict[str, Any]:
    """A minimal chunk."""
    return {"choices": [{"index": 0, "delta": value, "finish_reason": finish}], **more}


def tools(*calls: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return {"tool_calls": list(calls), **more}


def fn(name: str | None = None, arguments: Any = None) -> dict[str, Any]:
    return {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
