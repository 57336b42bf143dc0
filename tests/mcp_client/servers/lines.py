"""A minimal MCP server: JSON lines over stdio, with the standard library only, so that it starts fast."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
Tool = Callable[[Json], Json | None]


def requests() -> Iterator[Json]:
    """What the client sends, until it closes stdin."""
    for line in sys.stdin.buffer:
        yield json.loads(line)


def write(data: bytes) -> None:
    """Write exactly these bytes."""
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def send(message: Json) -> None:
    """Write one message on one line."""
    write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")


def answer(request: Json, result: Json) -> None:
    """Answer a request."""
    send({"id": request["id"], "result": result})


def text(value: str) -> Json:
    """A tool result."""
    return {"content": [{"type": "text", "text": value}]}


def handshake(request: Json) -> bool:
    """Answer the requests that every server answers; return whether it was one."""
    match request.get("method"):
        case "initialize":
            version = request["params"]["protocolVersion"]
            info = {"name": "scripted", "version": "1"}
            answer(request, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
        case "ping":
            answer(request, {})
        case "tools/list":
            answer(request, {"tools": []})
        case str(method) if method.startswith("notifications/"):
            pass
        case _:
            return False
    return True


def serve(tools: dict[str, Tool]) -> None:
    """Serve until stdin ends; a tool that returns None has answered by itself, or never answers."""
    for request in requests():
        if not handshake(request) and request.get("method") == "tools/call":
            params = request["params"]
            result = tools[params["name"]](request)
            if result is not None:
                answer(request, result)
