"""Whatever a client sends, the upstream sees exactly the requests that were accepted, with their bodies."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from responses_api_proxy.wire import Peer, Running, Upstream, proxy, reply, upstream

Seen = list[bytes]


@pytest.fixture(scope="module")
def ends() -> Iterator[tuple[Running, Seen, Upstream]]:
    seen: Seen = []

    def serve(peer: Peer) -> None:
        while True:
            head = peer.until(b"\r\n\r\n")
            assert head.startswith(b"POST /x HTTP/1.1\r\n")
            length = re.search(rb"\r\nContent-Length: ([0-9]+)\r\n", head)
            seen.append(peer.exactly(int(length[1])) if length else b"".join(iter(peer.chunk, b"")))
            peer.send(reply(b"%d" % len(seen)))

    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/x") as running:
        yield running, seen, server


bodies = st.one_of(
    st.binary(max_size=300),
    # What another request inside a body looks like must stay inside.
    st.just(b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"),
)


@st.composite
def accepted(draw: st.DrawFn) -> tuple[bytes, bytes]:
    body = draw(bodies)
    start = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\n"
    if draw(st.booleans()):
        return start + b"Content-Length: %d\r\n\r\n" % len(body) + body, body
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    chunks = b"".join(b"%X\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return start + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body


AMBIGUOUS = [
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length : 5\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\x0bchunked\r\n",
    b"X: a\r\n b\r\nContent-Length: 5\r\n",
    b"X: a\nContent-Length: 5\r\n",
]


@given(
    requests=st.lists(accepted(), max_size=4),
    last=st.none() | st.sampled_from(AMBIGUOUS),
    split=st.integers(0, 500),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_upstream_sees_the_accepted_requests_and_no_other(
    ends: tuple[Running, Seen, Upstream], requests: list[tuple[bytes, bytes]], last: bytes | None, split: int
) -> None:
    running, seen, server = ends
    before = len(seen)
    wire = b"".join(data for data, _ in requests)
    if last is not None:
        smuggled = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\nsmuggle"
        wire += b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\n" + last + b"\r\n" + smuggled
    peer = running.ask(wire[:split]) if wire[:split] else running.connect()
    peer.send(wire[split:])
    for number, _ in enumerate(requests, before + 1):
        head = peer.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert peer.exactly(len(str(number))) == b"%d" % number
    if last is not None:
        assert peer.rest().startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    peer.close()
    assert seen[before:] == [body for _, body in requests]
    assert server.errors == []
