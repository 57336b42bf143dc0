"""Both ends of the proxy's benchmark, each as a separate process: the upstream, and clients that measure.

python benches/proxy_load.py upstream
python benches/proxy_load.py requests PORT TOGETHER SECONDS SENT RECEIVED prompt|ordinary
python benches/proxy_load.py streams PORT TOGETHER EVENTS PAUSE
"""

import asyncio
import json
import os
import re
import socket
import sys
import time
from typing import Any


def acknowledge_at_once(transport: asyncio.Transport) -> None:
    """Acknowledge immediately; otherwise a server that writes head and body separately waits 40 ms for the kernel."""
    if hasattr(socket, "TCP_QUICKACK"):
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Upstream(asyncio.Protocol):
    """Answers `x-bytes: N` with that many bytes, `x-events: COUNT SECONDS` with a stream."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.left = 0
        self.task: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        acknowledge_at_once(self.transport)
        if not self.left:
            head, found, data = (self.head + data).partition(b"\r\n\r\n")
            self.head = head
            if not found:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self.left = int(length[1]) if length else 0
        self.left -= len(data)
        if self.left == 0:
            head, self.head = self.head, b""
            self.answer(head)

    def answer(self, head: bytes) -> None:
        if events := re.search(rb"(?i)\r\nx-events: *(\d+) ([0-9.]+)", head):
            self.task = asyncio.get_running_loop().create_task(self.stream(int(events[1]), float(events[2])))
            return
        size = re.search(rb"(?i)\r\nx-bytes: *(\d+)", head)
        count = int(size[1]) if size else 0
        start = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % count
        self.transport.write(start + bytes(count))

    async def stream(self, count: int, pause: float) -> None:
        kind = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.transport.write(b"HTTP/1.1 200 OK\r\n" + kind)
        for _ in range(count):
            event = b"data: %d\n\n" % time.monotonic_ns()
            self.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            await asyncio.sleep(pause)
        self.transport.write(b"0\r\n\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.task:
            self.task.cancel()


class Client(asyncio.Protocol):
    """Sends `request` repeatedly, or once if `events` are to be timed.

    With `prompt`, it acknowledges immediately, unlike ordinary clients.
    """

    def __init__(
        self, request: bytes, spent: list[float], events: list[float] | None = None, *, prompt: bool = True
    ) -> None:
        self.request, self.spent, self.events, self.prompt = request, spent, events, prompt
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.begun = time.monotonic()
        self.got = b""
        self.left = -1
        self.chunked = False
        self.transport.write(self.request)
        if self.prompt:
            acknowledge_at_once(self.transport)

    def data_received(self, data: bytes) -> None:
        if self.events is not None:
            self.timed(data, self.events)
            return
        if self.prompt:
            acknowledge_at_once(self.transport)
        if self.left < 0:
            head, found, data = (self.got + data).partition(b"\r\n\r\n")
            self.got = head
            if not found:
                return
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            self.chunked = length is None
            self.got = b""
            self.left = int(length[1]) if length else sys.maxsize
        self.left -= len(data)
        if self.chunked:  # the body consists of zeros, so nothing in it looks like the last chunk
            self.got = (self.got + data[-5:])[-5:]
            self.left = 0 if self.got == b"0\r\n\r\n" else self.left
        if self.left == 0:
            self.spent.append(time.monotonic() - self.begun)
            self.ask()

    def timed(self, data: bytes, events: list[float]) -> None:
        if not self.got:
            self.spent.append(time.monotonic() - self.begun)
        now = time.monotonic_ns()
        events.extend((now - int(stamp)) / 1e9 for stamp in re.findall(rb"data: (\d+)\n", data))
        self.got = (self.got + data)[-16:]
        if self.got.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.ended.done():
            self.ended.set_result(None)


def request(size: int, fields: str) -> bytes:
    kind = "Host: 127.0.0.1\r\nContent-Type: application/json"
    return (
        f"POST /v1/responses HTTP/1.1\r\n{kind}\r\n{fields}\r\nContent-Length: {size}\r\n\r\n".encode()
        + bytes(size)
    )


def quantiles(name: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {f"{name}p50": ordered[len(ordered) // 2], f"{name}p99": ordered[len(ordered) * 99 // 100]}


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop, which ends the process at the first error, because a client that waits measures nothing."""

    def fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        os._exit(1)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(fail)
    return loop


async def run_requests(
    port: int, together: int, duration: float, sent: int, received: int, client: str
) -> dict[str, float]:
    loop = running_loop()
    spent: list[float] = []
    data = request(sent, f"x-bytes: {received}")
    made = [
        await loop.create_connection(
            lambda: Client(data, spent, prompt=client == "prompt"), "127.0.0.1", port
        )
        for _ in range(together)
    ]
    await asyncio.sleep(0.2)
    spent.clear()
    begun = time.monotonic()
    await asyncio.sleep(duration)
    rate = len(spent) / (time.monotonic() - begun)
    for transport, _ in made:
        transport.abort()
    return {"rate": rate, **quantiles("", spent)}


async def run_streams(port: int, together: int, count: int, pause: float) -> dict[str, float]:
    loop = running_loop()
    first: list[float] = []
    events: list[float] = []
    data = request(1024, f"x-events: {count} {pause}")
    made = [
        await loop.create_connection(lambda: Client(data, first, events), "127.0.0.1", port)
        for _ in range(together)
    ]
    async with asyncio.timeout(60):
        await asyncio.gather(*(client.ended for _, client in made))
    for transport, _ in made:
        transport.abort()
    assert len(events) == together * count, (len(events), together * count)
    return {**quantiles("first_", first), **quantiles("event_", events)}


async def run_upstream() -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0, backlog=1024)
    print(f"listening on 127.0.0.1:{server.sockets[0].getsockname()[1]}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["upstream"]:
            asyncio.run(run_upstream())
        case ["requests", port, together, duration, sent, received, client]:
            measured = run_requests(
                int(port), int(together), float(duration), int(sent), int(received), client
            )
            print(json.dumps(asyncio.run(measured)))
        case ["streams", port, together, count, pause]:
            print(json.dumps(asyncio.run(run_streams(int(port), int(together), int(count), float(pause)))))
