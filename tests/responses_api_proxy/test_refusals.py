import re
from collections.abc import Iterator

import pytest

from responses_api_proxy.wire import Peer, Running, Upstream, post, proxy, reply, upstream

START = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\n"
SMUGGLED = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nsmuggled"


def serve(peer: Peer) -> None:
    while True:
        _, body = peer.request()
        peer.send(reply(body))


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Running, Upstream]]:
    with (
        upstream(serve) as server,
        proxy(f"http://127.0.0.1:{server.port}/", "--max-body-mib", "1") as running,
    ):
        yield running, server


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (START + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED, 400),
        (START + b"Content-Length: 0, 0\r\n\r\n" + SMUGGLED, 400),
        (START + b"Content-Length: -1\r\n\r\n" + SMUGGLED, 400),
        (START + b"Content-Length: abc\r\n\r\n" + SMUGGLED, 400),
        (START + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
        (START + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED, 501),
        (START + b"Transfer-Encoding: identity\r\n\r\n" + SMUGGLED, 501),
        (START + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SMUGGLED, 400),
        (START + b"X: 1\r\n folded\r\n\r\n" + SMUGGLED, 400),
        (START + b"X: 1\n\r\n" + SMUGGLED, 400),
        (b"POST /v1/responses HTTP/1.1\nHost: localhost\n\n", 400),
        (b"P\x00ST /v1/responses HTTP/1.1\r\n\r\n" + SMUGGLED, 400),
        (b"POST /v1/responses HTTP/3.0\r\nHost: localhost\r\n\r\n", 505),
        (START + b"X: " + b"x" * 70_000 + b"\r\n\r\n", 431),
        (START + b"X: 1\r\n" * 2000 + b"\r\n", 431),
        (START + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
        (START + b"Transfer-Encoding: chunked\r\n\r\n1\r\nhello\r\n0\r\n\r\n" + SMUGGLED, 400),
        (START + b"Content-Length: 2000000\r\n\r\n" + SMUGGLED, 413),
        (START + b"Transfer-Encoding: chunked\r\n\r\n200000\r\n" + SMUGGLED, 413),
        (START + b"Origin: https://example.com\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, 403),
        (b"POST /v1/responses HTTP/1.1\r\nHost: example.com\r\n\r\n" + SMUGGLED, 403),
        (b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n" + SMUGGLED, 403),
        (b"POST /v1/responses?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n" + SMUGGLED, 403),
    ],
)
def test_a_refused_request_ends_its_connection_and_cannot_smuggle_another(
    data: bytes, status: int, ends: tuple[Running, Upstream]
) -> None:
    running, _ = ends
    response = running.ask(data).rest()
    assert re.match(rb"HTTP/1.1 %d [^\r]+\r\n" % status, response), response
    assert len(re.findall(rb"HTTP/1.1 [0-9]{3} ", response)) == 1
    assert b"\r\nConnection: close\r\n" in response
    assert b"smuggled" not in response
    if status == 403:
        assert response.endswith(b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_after_all_refusals_a_valid_request_is_served(ends: tuple[Running, Upstream]) -> None:
    running, _ = ends
    assert running.ask(post(b"honest")).request()[1] == b"honest"
