"""How the HTTP client handles connections that fail at any step; the streams are scripted."""

import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute

from code_core.model import http_client
from code_core.model.connection import Route, connect, has_only_ended, proxy_at, receive, receive_head, send
from code_core.model.errors import ConnectError, HttpError, UnansweredError
from code_core.model.http_client import HttpClient, HttpResponse, IdleConnections
from code_core.wire.http_head import parse_response_head, target_of
from code_responses_api_proxy.fields import HEAD_LIMIT
from code_responses_api_proxy.framing import ChunkedBody, LengthBody
from support.http_bytes import DIRECT, HI, OK, ask, sends, server, tls_server

T = TypeVar("T")
FAILURES = [OSError("a reason"), OSError(), anyio.BrokenResourceError(), anyio.EndOfStream()]


class Scripted(ByteStream):
    """A stream that receives `parts`, or fails with them, and fails to send with `error`."""

    def __init__(self, parts: Sequence[bytes | Exception] = (), error: Exception | None = None) -> None:
        self.parts = list(parts)
        self.error = error
        self.sent = b""
        self.is_closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:  # noqa: ARG002 - as in the base class
        if not self.parts:
            raise anyio.EndOfStream
        match self.parts.pop(0):
            case bytes(part):
                return part
            case error:
                raise error

    async def send(self, item: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.sent += item

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None:
        self.is_closed = True


class Silent(Scripted):
    """A stream that receives `parts`, and then nothing."""

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self.parts:
            return await super().receive(max_bytes)
        await anyio.sleep_forever()
        return b""


def run(work: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
    async def main() -> T:
        with anyio.fail_after(30):
            return await work(*arguments)

    return anyio.run(main)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_to_send(failure: Exception) -> None:
    with pytest.raises(HttpError) as raised:
        run(send, Scripted(error=failure), b"x")
    assert str(raised.value) == (str(failure) or "the connection broke")
    assert raised.value.__cause__ is failure


@pytest.mark.parametrize("failure", [*FAILURES[:3], anyio.ClosedResourceError()])
def test_a_failure_to_receive(failure: Exception) -> None:
    with pytest.raises(HttpError) as raised:
        run(receive, Scripted([failure]))
    assert str(raised.value) == (str(failure) or "the connection broke")
    assert raised.value.__cause__ is failure


def test_the_end_is_received_as_empty_data() -> None:
    assert run(receive, Scripted()) == b""


def test_a_socket_that_cannot_acknowledge_immediately_receives_nevertheless() -> None:
    class Refusing:
        def setsockopt(self, *_: int) -> None:
            raise OSError("not supported")

    class Stream(Scripted):
        @property
        def extra_attributes(self) -> dict[Any, Any]:
            return {SocketAttribute.raw_socket: Refusing}

    assert run(receive, Stream([b"x"])) == b"x"


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ([], UnansweredError, "without an answer"),
        ([b"HTTP/1.1 200"], HttpError, "without an answer"),
        ([OSError("a reason")], UnansweredError, "a reason"),
        ([b"HTTP/1.1 200", OSError("a reason")], HttpError, "a reason"),
    ],
)
def test_a_connection_that_ends_before_the_head_is_complete(
    parts: Sequence[bytes | Exception], kind: type[HttpError], words: str
) -> None:
    with pytest.raises(HttpError, match=words) as raised:
        run(receive_head, Scripted(parts))
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, OSError) is (words == "a reason")


def test_interim_responses_may_be_twice_as_long_as_a_head() -> None:
    start = b"HTTP/1.1 100 Continue\r\nx: "
    interim = start + b"a" * (HEAD_LIMIT - len(start) - 4) + b"\r\n\r\n"
    head, rest = run(receive_head, Scripted([interim, interim, HI]))
    assert (head.status, rest) == (200, b"hi")
    with pytest.raises(HttpError, match="without end"):
        run(receive_head, Scripted([interim, interim, b"HTTP/1.1 100 Continue\r\n\r\n", HI]))


@pytest.mark.parametrize(
    ("stream", "is_usable"),
    [
        (Silent(), True),
        (Scripted(), False),
        (Silent([b"x"]), False),
        (Scripted([OSError("reset")]), False),
    ],
)
def test_an_idle_connection_is_usable_until_something_comes(stream: ByteStream, is_usable: bool) -> None:
    assert run(has_only_ended, stream, LengthBody(0)) is is_usable


@pytest.mark.parametrize(
    ("parts", "is_usable"),
    [
        ([b"0\r\n\r\n"], True),
        ([b"0\r", b"\n\r", b"\n"], True),
        ([b"5\r\nrest.\r\n0\r\n\r\n"], True),
        ([], False),
        ([b"0\r\n"], False),
        ([b"5\r\nrest."], False),
        ([b"0\r\n\r\nHTTP/1.1 200 OK"], False),
        ([b"0\r\n\r\n", b"HTTP/1.1 200 OK"], False),
        ([b"no size\r\n"], False),
        ([b"0\r\n\r\n", OSError("reset")], False),
        ([b"0\r\n\r\n", anyio.EndOfStream()], False),
        ([b"fff8\r\n" + b"r" * 0xFFF8 + b"\r\n", b"0\r\n\r\n"], False),  # longer than is worth waiting for
    ],
)
def test_the_end_of_a_response_may_come_after_it_was_read(
    parts: Sequence[bytes | Exception], is_usable: bool
) -> None:
    assert run(has_only_ended, Silent(parts), ChunkedBody()) is is_usable


@pytest.mark.parametrize("failure", FAILURES)
def test_a_connection_that_fails(failure: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> ByteStream:
        raise failure

    monkeypatch.setattr(anyio, "connect_tcp", fails)
    with pytest.raises(ConnectError) as raised:
        run(connect, DIRECT, target_of("http://models.example"))
    assert str(raised.value) == (str(failure) or "the connection was closed")
    assert raised.value.__cause__ is failure


def test_a_tunnel_is_requested_by_host_and_port_and_begins_with_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Scripted([b"HTTP/1.1 300 Many\r\nContent-Length: 0\r\n\r\n"])

    async def connected(*_: object) -> ByteStream:
        return stream

    monkeypatch.setattr(anyio, "connect_tcp", connected)
    route = Route(proxy_at("http://Xproxy:3128"), ssl.create_default_context(), 30)
    assert route.proxy is not None
    assert route.proxy.host == "Xproxy"
    with pytest.raises(ConnectError, match="the proxy refused: 300 Many"):
        run(connect, route, target_of("https://[::1]/v1"))
    assert stream.sent == b"CONNECT [::1]:443 HTTP/1.1\r\nhost: [::1]:443\r\n\r\n"
    assert stream.is_closed


def test_a_body_without_a_length_ends_with_an_encrypted_connection(tmp_path: Path) -> None:
    context, trusting = tls_server(tmp_path)

    def serve(listener: socket.socket) -> None:
        accepted, _ = listener.accept()
        encrypted = context.wrap_socket(accepted, server_side=True)
        encrypted.recv(65536)
        encrypted.sendall(OK + b"\r\nhi")
        encrypted.close()  # without a closing handshake

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener], daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        url = f"https://localhost:{port}/"
        assert ask(port, route=Route(None, trusting, 30), url=url)[0][2] == b"hi"
        thread.join(30)


def _response(stream: ByteStream, idle: IdleConnections | None) -> HttpResponse:
    head, rest = parse_response_head(HI)
    assert head is not None
    return HttpResponse(head, rest, stream, idle)


def test_a_connection_is_kept_once_however_often_its_response_is_closed() -> None:
    async def main() -> None:
        idle, stream = IdleConnections(), Silent()
        response = _response(stream, idle)
        states = [response.is_closed]
        assert [chunk async for chunk in response.chunks()] == [b"hi"]
        for _ in range(2):
            await response.aclose()
            states.append(response.is_closed)
        assert states == [False, True, True]
        assert await idle.take() is stream
        assert await idle.take() is None

    run(main)


def test_a_connection_is_closed_if_it_cannot_be_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object) -> bool:
        raise RuntimeError("no time")

    async def main() -> None:
        idle, stream = IdleConnections(), Silent()
        idle.put(stream, LengthBody(0))
        with pytest.raises(RuntimeError, match="no time"):
            await idle.take()
        assert stream.is_closed

    monkeypatch.setattr(http_client, "has_only_ended", fails)
    run(main)


def test_a_connection_is_kept_only_for_its_idle_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        idle, stream = IdleConnections(), Silent()
        idle.put(stream, LengthBody(0))
        assert await idle.take() is None
        assert stream.is_closed

    monkeypatch.setattr(http_client, "IDLE_SECONDS", 0.0)
    now = anyio.run(_now)
    monkeypatch.setattr(anyio, "current_time", lambda: now)
    anyio.run(main)


async def _now() -> float:
    return anyio.current_time()


def test_a_client_is_open_until_it_is_closed() -> None:
    async def main() -> None:
        async with HttpClient(DIRECT, keeps_connections=False) as client:
            states = [client.is_closed]
        assert [*states, client.is_closed] == [False, True]

    run(main)


def test_get_sends_a_get_and_closes_the_response() -> None:
    async def main(port: int) -> tuple[bytes, bool]:
        async with HttpClient(DIRECT, keeps_connections=False) as client:
            async with client.get(f"http://127.0.0.1:{port}/", {}) as response:
                body = b"".join([chunk async for chunk in response.chunks()])
            return body, response.is_closed

    with server(sends(HI)) as (port, received):
        assert run(main, port) == (b"hi", True)
    assert received[0].startswith(b"GET / HTTP/1.1\r\n")


def test_a_request_that_is_neither_sent_nor_answered_reports_why_it_was_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failure = OSError("broken pipe")
    stream = Scripted(error=failure)

    async def connected(*_: object) -> ByteStream:
        return stream

    async def main() -> None:
        async with HttpClient(DIRECT, keeps_connections=True) as client:
            await client.send("POST", "http://models.example/", {}, b"{}")

    monkeypatch.setattr(http_client, "connect", connected)
    with pytest.raises(UnansweredError, match="broken pipe") as raised:
        run(main)
    assert raised.value.__cause__ is failure
    assert stream.is_closed
