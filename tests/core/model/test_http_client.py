"""Requests and responses of the HTTP client, with servers that send scripted bytes."""

import gzip
import socket
import zlib
from collections.abc import Callable, Sequence

import anyio
import pytest

from code_core.model.connection import Route
from code_core.model.errors import ConnectError, HttpError
from code_core.model.http_client import HttpClient
from code_core.wire.errors import InvalidUrlError
from support.http_bytes import DIRECT, HI, OK, ask, sends, server


def body_of(*parts: bytes) -> bytes:
    with server(sends(*parts)) as (port, _):
        return ask(port)[0][2]


def test_a_request_has_its_host_and_accepted_encodings() -> None:
    with server(sends(HI)) as (port, received):
        ask(port, "/a b?x=1&y=ü", method="POST", headers={b"x-one": b"1"}, body=b"{}")
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a%20b?x=1&y=%C3%BC HTTP/1.1",
        b"host: 127.0.0.1:%d" % port,
        b"accept-encoding: identity",
        b"connection: close",
        b"x-one: 1",
        b"content-length: 2",
    ]
    assert body == b"{}"


def test_a_response_has_its_status_headers_and_body() -> None:
    head = b"HTTP/1.1 404 Not Found\r\nX-A: 1\r\nx-a:  2 \r\nContent-Length: 2\r\n\r\n"
    with server(sends(head, b"h", b"i")) as (port, _):
        [(status, headers, body)] = ask(port)
    assert (status, headers, body) == (404, {"x-a": "1, 2", "content-length": "2"}, b"hi")


@pytest.mark.parametrize(
    "parts",
    [
        (OK, b"\r\n", b"hi"),
        (OK + b"Content-Length: 2, 2\r\n\r\nhi", b"and more"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1;x=y\r\nh\r\n1\r", b"\ni\r\n0\r\nX: y\r\n\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n2\r\nhi\r\n0\r\n\r\n",),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + HI,),
        (b"HTTP/1.0 200\r\n\r\nhi",),
        tuple(HI[at : at + 1] for at in range(len(HI))),
    ],
)
def test_a_body_ends_where_its_head_specifies(parts: Sequence[bytes]) -> None:
    assert body_of(*parts) == b"hi"


def test_a_response_without_content_has_no_body() -> None:
    assert body_of(b"HTTP/1.1 204 No Content\r\n\r\nhi") == b""


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((b"",), "closed the connection without an answer"),
        ((b"HTTP/1.1 200 OK\r\n",), "closed the connection without an answer"),
        ((b"SSH-2.0-OpenSSH\r\n",), "not HTTP/1.1"),
        ((b"HTTP/2 200 OK\r\n\r\n",), "not HTTP/1.1"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000,), "longer than 65536 bytes"),
        ((OK + b"no colon\r\n\r\n",), "malformed"),
        ((OK + b"X: a\r\n b\r\n\r\n",), "malformed"),
        ((OK + b"X : a\r\n\r\n",), "malformed"),
        ((b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",), "malformed"),
        ((b"HTTP/1.1 20 OK\r\n\r\n",), "malformed"),
        ((OK + b"X: y\r\n" * 101 + b"\r\n",), "more than 100 headers"),
        ((b"HTTP/1.1 101 Switching Protocols\r\n\r\n",), "malformed"),
        ((OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length: -2\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length: +2\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length: 0x2\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length:\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length: 2,\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Content-Length: " + b"9" * 19 + b"\r\n\r\nhi",), "Content-Length"),
        ((OK + b"Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",), "transfer encoding"),
        ((OK + b"Transfer-Encoding:\r\nContent-Length: 2\r\n\r\nhi",), "transfer encoding"),
        ((OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",), "transfer encoding"),
        ((OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n",), "transfer encoding"),
        ((OK + b"Content-Length: 3\r\n\r\nhi",), "before the end of its answer"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",), "before the end of its answer"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n",), "chunk is longer"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\nx\r\n",), "no valid size"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",), "no valid size"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n",), "no valid size"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 5000,), "has no end"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n",), "trailer"),
        ((OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 4000,), "trailer"),
        ((OK + b"Content-Encoding: br\r\nContent-Length: 2\r\n\r\nhi",), r"compressed its answer \('br'\)"),
        ((OK + b"Content-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\nhi",), "compressed its answer"),
        ((OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",), "cannot be read"),
        ((OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi")[:-3],), "ends too early"),
        ((OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi") + b"more",), "cannot be read"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,), "interim responses without end"),
    ],
)
def test_an_invalid_response_is_an_error(parts: Sequence[bytes], words: str) -> None:
    with pytest.raises(HttpError, match=words) as caught:
        body_of(*parts)
    assert not isinstance(caught.value, ConnectError)


def in_two_members(data: bytes) -> bytes:
    return gzip.compress(data[:7]) + gzip.compress(data[7:])


@pytest.mark.parametrize(
    ("coding", "compress"),
    [
        ("gzip", gzip.compress),
        ("GZip", in_two_members),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
    ],
)
def test_a_body_may_be_compressed(coding: str, compress: Callable[[bytes], bytes]) -> None:
    text = b"x" * 1_000_000 + b"end"
    compressed = compress(text)
    head = OK + f"Content-Encoding: {coding}\r\nContent-Length: {len(compressed)}\r\n\r\n".encode()
    assert body_of(head, compressed[:7], compressed[7:]) == text


def test_an_empty_body_may_be_declared_as_compressed() -> None:
    assert body_of(OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n") == b""


def test_a_compressed_body_is_decompressed_in_pieces_of_bounded_size() -> None:
    compressed = gzip.compress(bytes(50_000_000))
    head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(compressed)

    async def main(port: int) -> None:
        async with (
            HttpClient(DIRECT, keeps_connections=False) as client,
            client.get(f"http://127.0.0.1:{port}/", {}) as response,
        ):
            sizes = [len(chunk) async for chunk in response.chunks()]
        assert sum(sizes) == 50_000_000
        assert max(sizes) <= 2**16

    with server(sends(head + compressed)) as (port, _):
        anyio.run(main, port)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-a", b"a\r\nX-Injected: b"),
        (b"x-a", b"a\nb"),
        (b"x-a", b"a\rb"),
        (b"x-a", b"a\0b"),
        (b"x-a", b"a\x1bb"),
        (b"x a", b"b"),
        (b"x-a\r\nX-Injected", b"b"),
        (b"", b"b"),
    ],
)
def test_a_header_cannot_smuggle_another(name: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match="contains a character that is not allowed") as caught:
        ask(1, headers={name: value})
    assert value.decode() not in str(caught.value) or value == b"b"


@pytest.mark.parametrize(
    "url",
    ["ftp://h/", "http://", "http://h:abc/", "http://h:99999/", "http://ü.example/", "x", "http://a b/"],
)
def test_an_invalid_url_is_an_error(url: str) -> None:
    with pytest.raises(InvalidUrlError):
        ask(1, url=url)


def test_a_path_cannot_smuggle_a_request() -> None:
    with server(sends(HI)) as (port, received):
        ask(port, "/a HTTP/1.1\r\nX: y")
    assert received[0].startswith(b"GET /a%20HTTP/1.1X:%20y HTTP/1.1\r\n")


def test_a_closed_port_is_a_failed_connection() -> None:
    with pytest.raises(ConnectError) as caught:
        ask(1)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_server_that_does_not_accept_connections_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(anyio, "connect_tcp", never)
    with pytest.raises(ConnectError, match=r"^no connection within 0\.05 seconds$"):
        ask(1, route=Route(None, None, 0.05))


def test_a_connection_that_is_reset_is_an_error() -> None:
    def reset(connected: socket.socket) -> None:
        connected.sendall(OK + b"Content-Length: 5\r\n\r\nhi")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with server(reset) as (port, _), pytest.raises(HttpError):
        ask(port)


def test_an_answer_that_comes_before_the_request_is_complete_counts() -> None:
    def refuse(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        connected.shutdown(socket.SHUT_WR)
        while connected.recv(2**20):
            pass

    with server(refuse) as (port, _):
        assert ask(port, method="POST", body=bytes(5_000_000))[0][0] == 413
