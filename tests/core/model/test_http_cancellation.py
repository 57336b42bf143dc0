"""A request that is cancelled at any time leaves no connection open."""

import socket
import ssl
import threading
from collections.abc import Callable

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from code_core.model.connection import HttpProxy, Route
from code_core.model.http_client import HttpClient
from support.http_bytes import HI, OK, server

TLS = ssl.create_default_context()


@pytest.mark.parametrize(
    ("scheme", "route", "sent"),
    [
        pytest.param("https", lambda _: Route(None, TLS, 60), b"", id="handshake"),
        pytest.param("https", lambda port: Route(HttpProxy("127.0.0.1", port), TLS, 60), b"", id="proxy"),
        pytest.param("http", lambda _: Route(None, None, 60), b"", id="before the head"),
        pytest.param("http", lambda _: Route(None, None, 60), HI[:20], id="in the head"),
        pytest.param("http", lambda _: Route(None, None, 60), HI[:-1], id="in the body"),
        pytest.param(
            "http", lambda _: Route(None, None, 60), OK + b"Content-Encoding: gzip\r\n\r\n", id="compressed"
        ),
    ],
)
def test_the_connection_of_a_cancelled_request_is_closed(
    scheme: str, route: Callable[[int], Route], sent: bytes
) -> None:
    has_sent = threading.Semaphore(0)
    after: list[bytes] = []

    def waits(connected: socket.socket) -> None:
        connected.sendall(sent)
        has_sent.release()
        connected.settimeout(30)
        after.append(connected.recv(65536))

    async def ask(client: HttpClient, url: str) -> None:
        async with client.get(url, {}) as response:
            async for _ in response.chunks():
                pass

    async def main(port: int) -> None:
        with anyio.fail_after(60):
            async with (
                HttpClient(route(port), keeps_connections=True) as client,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(ask, client, f"{scheme}://127.0.0.1:{port}/")
                await anyio.to_thread.run_sync(has_sent.acquire)
                for _ in range(3):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()

    with server(waits) as (port, _):
        anyio.run(main, port)
    assert after == [b""]


def test_a_request_that_nobody_reads_can_be_cancelled() -> None:
    has_connected = threading.Semaphore(0)
    finished = threading.Event()

    def waits(_: socket.socket) -> None:
        has_connected.release()
        assert finished.wait(60)

    async def main(port: int) -> None:
        with anyio.fail_after(60):
            async with (
                HttpClient(Route(None, None, 60), keeps_connections=False) as client,
                anyio.create_task_group() as tasks,
            ):
                tasks.start_soon(client.send, "POST", f"http://127.0.0.1:{port}/", {}, bytes(2**25))
                await anyio.to_thread.run_sync(has_connected.acquire)
                tasks.cancel_scope.cancel()
        finished.set()

    with server(waits) as (port, _):
        anyio.run(main, port)
