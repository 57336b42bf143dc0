"""Which connections of the HTTP client serve another request."""

import socket
import ssl
import threading
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from code_core.model import http_client
from code_core.model.connection import Route
from code_core.model.errors import HttpError
from code_core.model.http_client import HttpClient
from support.http_bytes import DIRECT, HI, OK, ask, sends, server, tls_server


def test_a_kept_connection_serves_the_next_request() -> None:
    def twice(connected: socket.socket) -> None:
        connected.sendall(HI)
        connected.recv(65536)
        connected.sendall(HI)

    with server(twice) as (port, received):
        assert [body for *_, body in ask(port, times=2, kept=True)] == [b"hi", b"hi"]
    assert b"connection: keep-alive" in received[0]


@pytest.mark.parametrize(
    "first",
    [
        HI,  # and the server closes
        HI + b"nobody asked",
        OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ],
)
def test_a_connection_that_is_not_kept_is_replaced(first: bytes) -> None:
    closed = threading.Semaphore(0)
    with server(sends(first), sends(HI), closed=closed) as (port, _):
        responses = ask(port, times=2, kept=True, closed=closed)
    assert [body for *_, body in responses] == [b"hi", b"hi"]


def test_a_connection_is_not_kept_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "IDLE_SECONDS", -1)
    with server(sends(HI), sends(HI)) as (port, _):
        assert len(ask(port, times=2, kept=True)) == 2


def closes_after_the_request(connected: socket.socket) -> None:
    connected.sendall(HI)
    connected.recv(65536)


def test_a_request_that_a_kept_connection_loses_is_sent_again() -> None:
    with server(closes_after_the_request, sends(HI)) as (port, received):
        responses = ask(port, times=2, kept=True, method="POST", body=b"{}")
    assert [body for *_, body in responses] == [b"hi", b"hi"]
    assert received[0] == received[1]


def test_a_request_is_sent_again_only_once() -> None:
    with (
        server(closes_after_the_request, sends()) as (port, _),
        pytest.raises(HttpError, match="without an answer"),
    ):
        ask(port, times=2, kept=True)


def test_a_request_that_is_partly_answered_is_not_sent_again() -> None:
    def breaks_off(connected: socket.socket) -> None:
        closes_after_the_request(connected)
        connected.sendall(b"HTTP/1.1 2")

    with server(breaks_off) as (port, _), pytest.raises(HttpError, match="without an answer"):
        ask(port, times=2, kept=True)


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_connection_may_be_kept_before_the_end_of_its_response(is_whole: bool) -> None:
    """Servers send the end of a chunked body after the last event, which is all that a caller waits for."""
    was_closed, has_ended = threading.Event(), threading.Event()

    def ends_later(connected: socket.socket) -> None:
        connected.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
        was_closed.wait(30)
        if is_whole:
            connected.sendall(b"0\r\n\r\n")
            has_ended.set()
            assert connected.recv(65536).startswith(b"GET ")
            connected.sendall(HI)
        else:
            assert connected.recv(1) == b""

    async def main(port: int) -> bytes:
        url = f"http://127.0.0.1:{port}"
        with anyio.fail_after(30):
            async with HttpClient(DIRECT, keeps_connections=True) as client:
                response = await client.send("GET", url, {})
                assert await anext(response.chunks()) == b"hi"
                await response.aclose(is_whole=is_whole)
                was_closed.set()
                if is_whole:
                    await anyio.to_thread.run_sync(has_ended.wait)
                async with client.get(url, {}) as response:
                    return b"".join([chunk async for chunk in response.chunks()])

    with server(ends_later, *([] if is_whole else [sends(HI)])) as (port, _):
        assert anyio.run(main, port) == b"hi"


def test_bytes_on_an_idle_connection_are_not_taken_for_an_answer() -> None:
    has_read, has_sent = threading.Semaphore(0), threading.Semaphore(0)

    def speaks_first(connected: socket.socket) -> None:
        connected.sendall(HI)
        has_read.acquire()
        connected.sendall(OK + b"Content-Length: 4\r\n\r\nevil")
        has_sent.release()
        assert connected.recv(1) == b""

    async def main(port: int) -> list[bytes]:
        bodies = []
        with anyio.fail_after(30):
            async with HttpClient(DIRECT, keeps_connections=True) as client:
                for _ in range(2):
                    async with client.get(f"http://127.0.0.1:{port}", {}) as response:
                        bodies.append(b"".join([chunk async for chunk in response.chunks()]))
                    has_read.release()
                    await anyio.to_thread.run_sync(has_sent.acquire)
        return bodies

    def answers(connected: socket.socket) -> None:
        connected.sendall(HI)
        has_sent.release()

    with server(speaks_first, answers) as (port, _):
        assert anyio.run(main, port) == [b"hi", b"hi"]


def test_bytes_encrypted_together_with_a_response_are_not_taken_for_an_answer(tmp_path: Path) -> None:
    context, trusting = tls_server(tmp_path)

    def handle(connected: socket.socket, *records: bytes) -> None:
        """Send the records in one segment, so that the client receives them together."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(connected.recv(65536))
        encrypted = context.wrap_bio(incoming, outgoing, server_side=True)
        request = b""
        while not request:
            try:
                encrypted.do_handshake()
                request = encrypted.read(65536)
            except ssl.SSLWantReadError:
                connected.sendall(outgoing.read())
                incoming.write(connected.recv(65536))
        for record in records:
            encrypted.write(record)
        connected.sendall(outgoing.read())
        while connected.recv(65536):
            pass

    evil = OK + b"Content-Length: 4\r\n\r\nevil"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for records in ((HI, evil), (HI,)):
                connected, _ = listener.accept()
                with connected:
                    handle(connected, *records)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        route = Route(None, trusting, 30)
        responses = ask(port, route=route, times=2, kept=True, url=f"https://localhost:{port}/")
        thread.join(30)
    assert [body for *_, body in responses] == [b"hi", b"hi"]


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_connection_whose_response_was_not_read_is_closed(is_cancelled: bool) -> None:
    def answers_in_part(connected: socket.socket) -> None:
        connected.sendall(OK + b"Content-Length: 4\r\n\r\nhi")
        assert connected.recv(1) == b""

    async def main(port: int) -> bytes:
        with anyio.fail_after(30):
            async with HttpClient(DIRECT, keeps_connections=True) as client:
                with anyio.CancelScope() as scope:
                    async with client.get(f"http://127.0.0.1:{port}", {}) as response:
                        async for _ in response.chunks():
                            if not is_cancelled:
                                break
                            scope.cancel()
                async with client.get(f"http://127.0.0.1:{port}", {}) as response:
                    return b"".join([chunk async for chunk in response.chunks()])

    with server(answers_in_part, sends(HI)) as (port, _):
        assert anyio.run(main, port) == b"hi"
