"""After everything that can be torn off was torn off, no task and no descriptor is left of it."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.gate import Policy
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.redact import Redactor
from code_responses_api_proxy.server import Proxy
from code_responses_api_proxy.target import parse_target
from responses_api_proxy.wire import post

STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nevent\r\n"
PATIENCE = 15

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def tasks() -> int:
    return len(asyncio.all_tasks())


class Upstream:
    """Begins a stream for each request, and continues it for as long as possible."""

    def __init__(self) -> None:
        self.streams: list[Writer] = []

    async def serve(self, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(STREAM)
        self.streams.append(writer)
        await reader.read()  # until the proxy leaves
        writer.close()


@asynccontextmanager
async def between() -> AsyncIterator[tuple[Upstream, int]]:
    """An upstream and the port of a proxy before it, both in this process."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    listener = socket.create_server(("127.0.0.1", 0))
    scratch = memoryview(bytearray(65536))
    target = parse_target(f"http://127.0.0.1:{port}/")
    with SecretBuffer(200) as head:
        head.append(b"POST / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n")
        pool = Pool(target, scratch, connect_seconds=5)
        proxy = Proxy(
            Policy(1000), pool, head, Redactor(memoryview(b"")), scratch=scratch, url="", max_connections=1000
        )
        listening = asyncio.Event()
        serving = asyncio.create_task(proxy.serve(listener, listening.set))
        await listening.wait()
        yield upstream, listener.getsockname()[1]
        proxy.shut_down()
        await serving
        server.close()
        await server.wait_closed()


async def streaming(port: int, count: int) -> list[tuple[Reader, Writer]]:
    """Clients that have got the first event."""
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
    for reader, writer in clients:
        writer.write(post(b"{}"))
        await reader.readuntil(b"event")
    return clients


async def until_as_before(before: tuple[int, int]) -> None:
    async with asyncio.timeout(PATIENCE):
        while (tasks(), descriptors()) != before:  # noqa: ASYNC110 - nothing tells when the kernel is done
            await asyncio.sleep(0.01)


async def upstream_killed(upstream: Upstream, port: int) -> None:
    clients = await streaming(port, 20)
    for stream in upstream.streams:
        stream.transport.abort()
    for reader, writer in clients:
        assert not (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()


async def clients_killed(upstream: Upstream, port: int) -> None:
    for _, writer in await streaming(port, 20):
        writer.transport.abort()


async def half_sent(upstream: Upstream, port: int) -> None:
    clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
    for number, (_, writer) in enumerate(clients):
        writer.write(post(b"{}")[: number % 60])
    await asyncio.sleep(0)
    for _, writer in clients:
        writer.transport.abort()


async def refused(upstream: Upstream, port: int) -> None:
    for _ in range(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /v1/responses HTTP/1.1\r\nContent-Length: x\r\n\r\n")
        assert b" 400 " in await reader.read()
        writer.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")  # noqa: PTH112 - the platform's
@pytest.mark.parametrize("torn", [upstream_killed, clients_killed, half_sent, refused])
def test_no_task_and_no_descriptor_is_left(torn: Callable[[Upstream, int], Awaitable[None]]) -> None:
    async def main() -> None:
        before_all = tasks(), descriptors()
        async with between() as (upstream, port):
            before = tasks(), descriptors()
            for _ in range(2):
                await torn(upstream, port)
                upstream.streams.clear()
                await until_as_before(before)
        await until_as_before(before_all)

    asyncio.run(main())
