"""An MCP server over streamable HTTP that resets chosen connections at a chosen moment."""

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Fate = Literal[
    "answer",
    "reset",
    "reset in the head",
    "reset in the body",
    "reset in the events",
    "hang",
    "wait",
    "forgotten",
]


@dataclass
class Resetting:
    """What the server does with each message, and what it has received.

    Attributes:
        fates: by the method of a message, or by the name of the tool that is called; the default is to answer.
        held: releases what waits.
        hold: tool calls are answered, or reset, only once this many have arrived.
        arrived: how often each message came, by method and tool.
        streams: the open streams of the server's own messages.
        elicits: tools ask the user before they answer, over the stream of their call.
    """

    port: int = 0
    fates: dict[str, Fate] = field(default_factory=dict)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    hold: int = 0
    arrived: Counter[str] = field(default_factory=Counter)
    streams: list[asyncio.StreamWriter] = field(default_factory=list)
    streams_opened: int = 0
    elicits: bool = False
    answers: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    async def push(self, message: Json) -> None:
        for writer in self.streams:
            writer.write(_event(message))
            await writer.drain()


@asynccontextmanager
async def resetting_server(port: int = 0) -> AsyncIterator[Resetting]:
    """Serve until the block ends; every connection is closed then."""
    script = Resetting()
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await _exchange(script, reader, writer):
                    pass
        finally:
            writers.discard(writer)
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=256)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def until(holds: Callable[[], bool]) -> None:
    """Return when a condition holds, after at most 10 s."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - the server signals nothing
            await asyncio.sleep(0.01)


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other end gets an RST."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _exchange(script: Resetting, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Serve one request, and return whether the connection can take another."""
    verb, body = await _request(reader)
    if verb == "GET":
        script.streams_opened += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
        script.streams.append(writer)
        await reader.read()
        return False
    if verb == "DELETE":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        return True
    message = json.loads(body)
    params = message.get("params", {})
    method = message.get("method", "answer")
    name = params["name"] if method == "tools/call" else method
    script.arrived[name] += 1
    if method == "tools/call" and script.hold:
        if sum(count for tool, count in script.arrived.items() if tool.startswith("tool")) >= script.hold:
            script.held.set()
        await script.held.wait()
    if method == "answer":
        script.answers[message["id"]].set()
    fate = script.fates.get(name, "answer")
    if fate == "wait":
        await script.held.wait()
    if fate == "forgotten":
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        return True
    if fate == "reset":
        reset(writer)
        return False
    if fate == "hang":
        await reader.read()
        return False
    if "id" not in message or method == "answer":
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
        return True
    if script.elicits and method == "tools/call":
        return await _elicit(script, writer, message, fate)
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": _result(method, params)}
    return await _reply(writer, answer, fate, with_session=method == "initialize")


async def _reply(writer: asyncio.StreamWriter, answer: Json, fate: Fate, *, with_session: bool) -> bool:
    kind = "text/event-stream" if fate == "reset in the events" else "application/json"
    data = _event(answer) if fate == "reset in the events" else json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n".encode()
    if with_session:
        head += b"mcp-session-id: one\r\n"
    match fate:
        case "reset in the head":
            writer.write(head)
        case "reset in the body" | "reset in the events":
            writer.write(head + b"\r\n" + data[: len(data) // 2])
        case _:
            writer.write(head + b"\r\n" + data)
            return True
    await writer.drain()
    await asyncio.sleep(0.02)  # an immediate reset would discard what was written
    reset(writer)
    return False


async def _elicit(script: Resetting, writer: asyncio.StreamWriter, message: Json, fate: Fate) -> bool:
    """Ask the user over the stream of the call, then answer it."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
    name = f"ask-{message['id']}"
    script.answers[name] = asyncio.Event()
    schema = {"type": "object", "properties": {}}
    question = {"mode": "form", "message": "Go on?", "requestedSchema": schema}
    writer.write(_event({"jsonrpc": "2.0", "id": name, "method": "elicitation/create", "params": question}))
    await writer.drain()
    await script.answers[name].wait()
    result = _result("tools/call", message["params"])
    writer.write(_event({"jsonrpc": "2.0", "id": message["id"], "result": result}))
    await writer.drain()
    return False


def _result(method: str, params: Json) -> Json:
    match method:
        case "initialize":
            info = {"name": "resetting", "version": "1"}
            capabilities = {"tools": {"listChanged": True}}
            return {
                "protocolVersion": params["protocolVersion"],
                "capabilities": capabilities,
                "serverInfo": info,
            }
        case "tools/list":
            return {"tools": []}
        case "tools/call":
            return {"content": [{"type": "text", "text": params["name"]}]}
        case _:
            return {}


def _event(message: Json) -> bytes:
    return b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    return lines[0].split()[0], await reader.readexactly(int(headers.get("content-length", "0")))
