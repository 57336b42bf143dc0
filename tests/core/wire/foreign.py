"""Builds streams as other servers send them, and reads them."""

import json
from typing import Any

from code_core.wire.response_events import ResponseEvent
from code_core.wire.response_reader import ResponseReader
from code_core.wire.sse import SseParser

Event = dict[str, Any]


def text(words: str, **more: Any) -> Event:
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": words}],
        **more,
    }


def call(arguments: str = "{}", name: str = "f", **more: Any) -> Event:
    return {"type": "function_call", "name": name, "arguments": arguments, **more}


def added(item: Event, index: int = 0) -> Event:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: Event, **more: Any) -> Event:
    return {"type": "response.output_item.done", "item": item, **more}


def delta(words: str, **more: Any) -> Event:
    return {"type": "response.output_text.delta", "delta": words, **more}


def arguments(kind: str, words: str, **more: Any) -> Event:
    key = "delta" if kind == "delta" else "arguments"
    return {"type": f"response.function_call_arguments.{kind}", key: words, **more}


def completed(*output: Event, **more: Any) -> Event:
    return {"type": "response.completed", "response": {"id": "r", "output": list(output), **more}}


def lines(*events: Event, named: bool = True, typed: bool = True, ends: str = "\n") -> bytes:
    stream = ""
    for event in events:
        data = event if typed else {key: value for key, value in event.items() if key != "type"}
        stream += (f"event: {event['type']}{ends}" if named else "") + f"data: {json.dumps(data)}{ends}{ends}"
    return stream.encode()


def read(stream: bytes) -> list[ResponseEvent]:
    parser, reader = SseParser(), ResponseReader()
    events = [found for event in [*parser.feed(stream), *parser.end()] for found in reader.feed(event)]
    reader.end()
    return events
