import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from responses_api_proxy.wire import (
    KEY,
    PATIENCE,
    Peer,
    Running,
    Serve,
    Upstream,
    error_of,
    post,
    proxy,
    reply,
    upstream,
)

BEARER = f"Authorization: Bearer {KEY}\r\n".encode()


@contextmanager
def between(serve: Serve, *options: str, path: str = "/v1/responses") -> Iterator[tuple[Running, Upstream]]:
    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}{path}", *options) as running:
        yield running, server


def echo(peer: Peer) -> None:
    """Answers each request with its own head and body."""
    while True:
        head, body = peer.request()
        peer.send(reply(head + body))


def mirror(peer: Peer) -> None:
    """Answers like `echo`, but backwards, so that the key is not found in it."""
    while True:
        head, body = peer.request()
        peer.send(reply((head + body)[::-1]))


def answer(peer: Peer) -> tuple[bytes, bytes]:
    return peer.request()  # framed like a request


def test_a_request_arrives_with_the_key_and_without_connection_headers() -> None:
    fields = b"Authorization: Bearer theirs\r\nAccept-Encoding: gzip\r\nX-One: 1\r\nConnection: X-Two\r\nX-Two: 2\r\nProxy-Authorization: p\r\n"
    with between(mirror, path="/openai/responses?api-version=1") as (running, server):
        _, seen = answer(running.ask(post(b'{"a":1}', fields=fields)))
        authority = f"127.0.0.1:{server.port}".encode()
    assert seen[::-1] == (
        b"POST /openai/responses?api-version=1 HTTP/1.1\r\nHost: "
        + authority
        + b"\r\nAccept-Encoding: identity\r\n"
        + BEARER
        + b"X-One: 1\r\n"
        b'Content-Length: 7\r\n\r\n{"a":1}'
    )


def test_a_chunked_body_arrives_chunked() -> None:
    head = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with between(echo) as (running, _):
        _, seen = answer(running.ask(head + b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"))
    assert seen.endswith(b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n")


def test_one_connection_on_each_side_serves_many_requests() -> None:
    with between(echo) as (running, server):
        client = running.connect()
        for number in range(20):
            client.send(post(b"%d" % number))
            assert answer(client)[1].endswith(b"\r\n\r\n%d" % number)
        assert server.connections == 1


def test_pipelined_requests_are_answered_in_order() -> None:
    with between(echo) as (running, _):
        client = running.ask(b"".join(post(b"%d" % number) for number in range(10)))
        assert [answer(client)[1][-1:] for _ in range(10)] == [b"%d" % number for number in range(10)]


def test_a_response_is_forwarded_without_hop_by_hop_headers() -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(
            reply(
                b'{"error":1}',
                status=b"429 Slow Down",
                fields=b"X-A: 1\r\nConnection: X-B\r\nX-B: 2\r\nKeep-Alive: 5\r\nX-A: 3\r\n",
            )
        )

    with between(serve) as (running, _):
        head, body = answer(running.ask(post()))
    assert head == b"HTTP/1.1 429 Slow Down\r\nX-A: 1\r\nX-A: 3\r\nContent-Length: 11\r\n\r\n"
    assert body == b'{"error":1}'


def test_a_redirect_is_forwarded_and_not_followed() -> None:
    with upstream(echo) as elsewhere:
        location = b"Location: http://127.0.0.1:%d/\r\n" % elsewhere.port

        def serve(peer: Peer) -> None:
            peer.request()
            peer.send(reply(b"", status=b"307 Temporary Redirect", fields=location))

        with between(serve) as (running, _):
            head, _ = answer(running.ask(post()))
        assert head.startswith(b"HTTP/1.1 307 Temporary Redirect\r\n" + location)
        assert elsewhere.connections == 0


def test_each_event_arrives_before_the_next_one_is_sent() -> None:
    seen = threading.Semaphore(0)

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(20):
            peer.send(b"9\r\ndata: %02d\n\r\n" % number)
            assert seen.acquire(timeout=PATIENCE)
        peer.send(b"0\r\n\r\n")

    with between(serve) as (running, _):
        client = running.ask(post())
        assert b"\r\nTransfer-Encoding: chunked\r\n" in client.until(b"\r\n\r\n")
        for number in range(20):
            assert client.chunk() == b"data: %02d\n" % number
            seen.release()
        assert client.chunk() == b""


@pytest.mark.parametrize(
    "start",
    [b"Content-Length: 100\r\n\r\nabc\n", b"Transfer-Encoding: chunked\r\n\r\n4\r\nabc\n\r\n"],
)
def test_a_truncated_response_is_truncated_immediately_for_the_client(start: bytes) -> None:
    cut = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n" + start)
        assert cut.wait(PATIENCE)

    with between(serve) as (running, _):
        client = running.ask(post())
        client.until(b"abc\n")
        began = time.monotonic()
        cut.set()
        assert client.rest() in {b"", b"\r\n"}  # no chunk that says it is complete
        assert time.monotonic() - began < 1.0


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (b"", "upstream_lost"),
        (b"HTTP/1.1 200 OK\r\nX: ", "upstream_lost"),
        (b"garbage\r\n\r\n", "upstream_invalid_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "upstream_invalid_response"),
        (b"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "upstream_invalid_response"),
    ],
)
def test_a_missing_response_from_upstream_is_a_502_with_the_reason(start: bytes, code: str) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(start)

    with between(serve) as (running, _):
        head, body = answer(running.ask(post()))
    assert head.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    error = error_of(head + body)
    assert (error["type"], error["code"]) == ("proxy_error", code)
    assert KEY not in str(error)


def test_an_unreachable_upstream_is_a_502() -> None:
    with upstream(echo) as server:
        gone = server.port
    with proxy(f"http://127.0.0.1:{gone}/") as running:
        head, body = answer(running.ask(post()))
    assert head.startswith(b"HTTP/1.1 502 ")
    assert error_of(head + body)["code"] == "upstream_unreachable"


def test_a_request_is_dropped_when_its_client_disconnects() -> None:
    left = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc\n\r\n")
        peer.rest()
        left.set()

    with between(serve) as (running, _):
        client = running.ask(post())
        client.until(b"abc\n")
        client.close()
        assert left.wait(1.0)


@pytest.mark.parametrize("resets", [False, True])
def test_a_request_is_sent_again_if_the_idle_connection_was_just_closed(resets: bool) -> None:
    def serve(peer: Peer) -> None:
        _, body = peer.request()
        if body == b"second" and server.connections == 1:
            if resets:
                peer.reset()
            return
        peer.send(reply(body))

    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:

        def serve_both(peer: Peer) -> None:
            serve(peer)
            serve(peer)

        server._serve = serve_both
        client = running.ask(post(b"first"))
        assert answer(client)[1] == b"first"
        client.send(post(b"second"))
        assert answer(client)[1] == b"second"
        assert server.connections == 2


def test_a_request_is_not_sent_again_on_a_new_connection() -> None:
    requests = []

    def serve(peer: Peer) -> None:
        requests.append(peer.request())

    with between(serve) as (running, _):
        assert answer(running.ask(post()))[0].startswith(b"HTTP/1.1 502 ")
    assert len(requests) == 1


def test_a_body_is_requested_when_the_client_expects_100_continue() -> None:
    head = (
        b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    with between(echo) as (running, _):
        client = running.ask(head)
        assert client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"abc")
        _, seen = answer(client)
    assert seen.endswith(b"abc")
    assert b"Expect" not in seen


def test_an_http_1_0_client_gets_a_body_without_chunks_and_then_the_end() -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
        peer.rest()

    with between(serve) as (running, _):
        response = running.ask(b"POST /v1/responses HTTP/1.0\r\nContent-Length: 0\r\n\r\n").rest()
    assert response == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcdef"


def test_a_slow_upstream_slows_the_client_down() -> None:
    go_on = threading.Event()
    size = 48 * 1024 * 1024

    def serve(peer: Peer) -> None:
        peer.until(b"\r\n\r\n")
        assert go_on.wait(PATIENCE)
        left = size - len(peer._buffer)
        while left:
            left -= len(peer.socket.recv(1 << 20))
        peer.send(reply(b"all"))

    with between(serve) as (running, _):
        client = running.ask(
            b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
        )
        client.socket.setblocking(False)
        block, sent = bytes(1 << 20), 0
        stuck = time.monotonic() + 1.0
        while time.monotonic() < stuck:
            try:
                sent += client.socket.send(block)
                stuck = time.monotonic() + 1.0
            except BlockingIOError:
                threading.Event().wait(0.01)
        assert sent < size / 2
        assert resident_mib(running) < 100
        client.socket.settimeout(PATIENCE)
        go_on.set()
        client.send(bytes(size - sent))
        assert answer(client)[1] == b"all"


def test_a_slow_client_slows_the_upstream_down() -> None:
    written = []

    def serve(peer: Peer) -> None:
        peer.request()
        size = 64 * 1024 * 1024
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        peer.socket.settimeout(1.0)
        try:
            while True:
                written.append(peer.socket.send(bytes(1 << 20)))
        except TimeoutError:
            stuck.set()
        peer.rest()

    stuck = threading.Event()
    with between(serve) as (running, _):
        running.ask(post())
        assert stuck.wait(PATIENCE)
        assert sum(written) < 32 * 1024 * 1024
        assert resident_mib(running) < 100


def resident_mib(running: Running) -> float:
    with open(f"/proc/{running.process.pid}/statm") as statm:  # noqa: PTH123 - one line
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_an_environment_that_names_a_proxy_is_ignored() -> None:
    with upstream(echo) as trap, upstream(mirror) as server:
        trapped = f"http://127.0.0.1:{trap.port}"
        env = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"), trapped)
        with proxy(f"http://127.0.0.1:{server.port}/", env=env) as running:
            assert BEARER in answer(running.ask(post()))[1][::-1]
        assert trap.connections == 0


def test_a_connection_over_the_limit_is_asked_to_retry() -> None:
    with between(echo, "--max-connections", "1") as (running, _):
        first = running.ask(post())
        answer(first)
        response = running.connect().rest()
    assert re.match(rb"HTTP/1.1 503 [^\r]+\r\n(?s:.*)\r\nRetry-After: 1\r\n", response), response


def test_clients_that_never_finish_do_not_block_others() -> None:
    with between(echo) as (running, _):
        for _ in range(300):
            running.ask(b"POST /v1/responses HTTP/1.1\r\nHost: loc")
        assert answer(running.ask(post(b"served")))[1].endswith(b"served")
