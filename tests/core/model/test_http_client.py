"""The HTTP client against servers on sockets, which send byte by byte what a test scripts."""

import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from code_core.model import http_client
from code_core.model.connection import Route, proxy_at
from code_core.model.errors import ConnectError, HttpError
from code_core.model.http_client import HttpClient
from code_core.wire.errors import InvalidUrlError
from support.certificates import make_certificate

OK = b"HTTP/1.1 200 OK\r\n"
HI = OK + b"Content-Length: 2\r\n\r\nhi"
DIRECT = Route(None, None, 5)

Script = Callable[[socket.socket], None]


@contextmanager
def server(*scripts: Script, closed: threading.Semaphore | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A port whose connections are handled by `scripts` in turn, and what each of them received first.

    `closed` counts the connections that the server has closed.
    """
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for script in scripts:
                connected, _ = listener.accept()
                with connected:
                    received.append(connected.recv(65536))
                    script(connected)
                if closed is not None:
                    closed.release()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(5)
        assert not thread.is_alive()


def sends(*parts: bytes) -> Script:
    def script(connected: socket.socket) -> None:
        for part in parts:
            connected.sendall(part)

    return script


def ask(
    port: int,
    path: str = "/",
    *,
    route: Route = DIRECT,
    times: int = 1,
    kept: bool = False,
    closed: threading.Semaphore | None = None,
    **more: Any,
) -> list[tuple[int, dict[str, str], bytes]]:
    """Status, headers and body of each response; raises what the client raises.

    `closed` is waited for after each response.
    """
    asked = {"method": "GET", "url": f"http://127.0.0.1:{port}{path}", "headers": {}} | more

    async def main() -> list[tuple[int, dict[str, str], bytes]]:
        responses = []
        with anyio.fail_after(10):
            async with HttpClient(route, keeps_connections=kept) as client:
                for _ in range(times):
                    response = await client.send(**asked)
                    try:
                        body = b"".join([chunk async for chunk in response.chunks()])
                    finally:
                        await response.aclose()
                    responses.append((response.status, dict(response.headers), body))
                    if closed is not None:
                        await anyio.to_thread.run_sync(closed.acquire)
        return responses

    return anyio.run(main)


def body_of(*parts: bytes) -> bytes:
    with server(sends(*parts)) as (port, _):
        return ask(port)[0][2]


def test_a_request_names_its_host_and_says_what_it_accepts() -> None:
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
def test_a_body_ends_where_its_head_says(parts: Sequence[bytes]) -> None:
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
def test_what_is_no_response_is_an_error(parts: Sequence[bytes], words: str) -> None:
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


def test_an_empty_body_may_be_called_compressed() -> None:
    assert body_of(OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n") == b""


def test_a_compressed_body_comes_in_pieces_of_bounded_size() -> None:
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
def test_what_is_no_url_is_an_error(url: str) -> None:
    with pytest.raises(InvalidUrlError):
        ask(1, url=url)


def test_a_path_cannot_smuggle_a_request() -> None:
    with server(sends(HI)) as (port, received):
        ask(port, "/a HTTP/1.1\r\nX: y")
    assert received[0].startswith(b"GET /a%20HTTP/1.1X:%20y HTTP/1.1\r\n")


def test_nobody_listening_is_a_failed_connection() -> None:
    with pytest.raises(ConnectError) as caught:
        ask(1)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_server_that_accepts_nobody_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_proxy_forwards_what_is_not_encrypted() -> None:
    with server(sends(HI)) as (port, received):
        route = Route(proxy_at(f"http://me:s%40fe@127.0.0.1:{port}"), None, 5)
        assert ask(0, route=route, url="http://models.example:8080/v1?a=b")[0][2] == b"hi"
    assert received[0].startswith(
        b"GET http://models.example:8080/v1?a=b HTTP/1.1\r\nhost: models.example:8080\r\n"
    )
    assert b"proxy-authorization: Basic bWU6c0BmZQ==\r\n" in received[0]


def tls_server(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server on `localhost` uses, and what trusts it."""
    make_certificate(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    return context, ssl.create_default_context(cafile=directory / "cert.pem")


def test_a_proxy_passes_on_what_is_encrypted(tmp_path: Path) -> None:
    context, trusting = tls_server(tmp_path)
    asked: list[bytes] = []

    def tunnel(connected: socket.socket) -> None:
        connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with context.wrap_socket(connected.dup(), server_side=True) as encrypted:
            asked.append(encrypted.recv(65536))
            encrypted.sendall(HI)

    with server(tunnel) as (port, received):
        route = Route(proxy_at(f"http://me:safe@127.0.0.1:{port}"), trusting, 5)
        assert ask(0, route=route, url="https://localhost/v1")[0][2] == b"hi"
    assert received == [
        b"CONNECT localhost:443 HTTP/1.1\r\nhost: localhost:443\r\nproxy-authorization: Basic bWU6c2FmZQ==\r\n\r\n"
    ]
    assert asked[0].startswith(b"GET /v1 HTTP/1.1\r\nhost: localhost\r\n")
    assert b"authorization" not in asked[0].lower()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Who are you\r\n\r\n", "the proxy refused: 407 Who are you"),
        (b"HTTP/1.1 200 OK\r\n\r\n\x16\x03", "the proxy sent more than its answer"),
        (b"hello there\r\n\r\n", "the proxy: the server's answer is not HTTP/1.1"),
        (b"", "the proxy: the server closed the connection"),
    ],
)
def test_a_proxy_that_does_not_pass_on_is_an_error(answer: bytes, words: str) -> None:
    with server(sends(answer)) as (port, _):
        route = Route(proxy_at(f"http://127.0.0.1:{port}"), ssl.create_default_context(), 5)
        with pytest.raises(ConnectError, match=words):
            ask(0, route=route, url="https://localhost/v1")


def test_a_server_that_is_not_trusted_is_not_asked(tmp_path: Path) -> None:
    context, _ = tls_server(tmp_path)
    asked: list[bytes] = []

    def serve(connected: socket.socket) -> None:
        with (
            pytest.raises(OSError, match=r"."),
            context.wrap_socket(connected, server_side=True) as encrypted,
        ):
            asked.append(encrypted.recv(65536))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: serve(listener.accept()[0]))
        thread.start()
        route = Route(None, ssl.create_default_context(), 5)
        with pytest.raises(ConnectError) as caught:
            ask(
                0,
                route=route,
                url=f"https://localhost:{listener.getsockname()[1]}/",
                headers={b"x-key": b"k"},
            )
        thread.join()
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert asked == []
