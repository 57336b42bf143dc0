"""The key in an upstream's response."""

import base64
import json
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from code_responses_api_proxy.redact import SHORTEST_KEY, Redaction, Redactor
from responses_api_proxy.wire import KEY, Peer, error_of, post, proxy, reply, upstream

ODD = "sk-a/b+c0123456789/~.=="
KEYS = st.from_regex(rf"[A-Za-z0-9\-._~+/=]{{{SHORTEST_KEY},60}}", fullmatch=True)


@contextmanager
def redactor(key: str) -> Iterator[Redactor]:
    made = Redactor(memoryview(key.encode()), secret_memory=False)
    try:
        yield made
    finally:
        made.close()


def passed(made: Redactor, pieces: list[bytes]) -> bytes:
    redaction = Redaction(made)
    return b"".join([*map(redaction.feed, pieces), redaction.rest()])


@pytest.mark.parametrize("key", [KEY, ODD])
def test_every_spelling_is_redacted_without_changing_lengths(key: str) -> None:
    spellings = {
        key,
        json.dumps(key)[1:-1].replace("/", "\\/"),
        key.replace("+", "\\u002B"),
        key.replace("+", "\\u002b"),
        key.replace("=", "\\u003d"),
        key.replace("=", "\\u003D"),
        urllib.parse.quote(key, safe=""),
        urllib.parse.quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
    }
    with redactor(key) as made:
        for spelling in spellings:
            assert made(f"<{spelling}>".encode()) == b"<" + b"*" * len(spelling) + b">"


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "x", "xy", "Bearer ", "user:"])
@pytest.mark.parametrize("key", [KEY, ODD, "~~~???>>>".replace("?", "/").replace(">", "+")])
def test_base64_is_redacted_at_every_alignment(
    encode: Callable[[bytes], bytes], before: str, key: str
) -> None:
    encoded = encode(f"{before}{key}!".encode())
    with redactor(key) as made:
        hidden = made(encoded)
    assert len(hidden) == len(encoded)
    assert hidden.count(b"*") >= len(key) * 8 // 6 - 2


@given(
    key=KEYS,
    parts=st.lists(st.binary(max_size=20) | st.just(None), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=10),
)
@settings(deadline=None)
def test_the_key_is_redacted_however_it_is_split(
    key: str, parts: list[bytes | None], cuts: list[int]
) -> None:
    data = b"".join(key.encode() if part is None else part for part in parts)
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    with redactor(key) as made:
        out = passed(made, [data[start:end] for start, end in pairwise(marks)])
    assert key.encode() not in out
    assert len(out) == len(data)


@given(st.binary(max_size=300), KEYS)
@settings(deadline=None)
def test_other_data_is_not_changed(data: bytes, key: str) -> None:
    with redactor(key) as made:
        if made(data) == data:
            assert passed(made, [data[:7], data[7:]]) == data


@pytest.mark.parametrize("end", [b"\n", b"\n\n", b"}", b'"', b" ", b"\0", b"\xff"])
def test_the_end_of_an_event_is_never_held_back(end: bytes) -> None:
    with redactor(KEY) as made:
        redaction = Redaction(made)
        assert redaction.feed(b"data: s" + end) == b"data: s" + end


def test_only_the_beginning_of_the_key_is_held_back() -> None:
    with redactor(KEY) as made:
        redaction = Redaction(made)
        assert redaction.feed(b"it is " + KEY[:10].encode()) == b"it is "
        assert redaction.feed(b"?") == KEY[:10].encode() + b"?"


def test_a_key_too_short_to_be_secret_is_not_redacted() -> None:
    with redactor("none") as made:
        assert made(b"none") == b"none"
        assert passed(made, [b"no", b"ne"]) == b"none"


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


HALF = len(KEY) // 2
ECHOES = {
    "a header": reply(b"ok", fields=f"X-Echo: Bearer {KEY}\r\n".encode()),
    "the reason": reply(b"ok", status=f"401 Not {KEY}".encode()),
    "the body": reply(f"your key {KEY}!".encode()),
    "an error": reply(json.dumps({"error": KEY}).encode(), status=b"401 Unauthorized"),
    "the end of a body": reply(KEY.encode()),
    "two chunks": chunked(b"data: " + KEY[:HALF].encode(), KEY[HALF:].encode() + b"\n\n"),
    "many chunks": chunked(*(letter.encode() for letter in f"<{KEY}>")),
    "a body without an end": b"HTTP/1.1 200 OK\r\n\r\n" + KEY.encode(),
    "base64": reply(base64.b64encode(f"Bearer {KEY}".encode())),
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
def test_an_upstream_that_echoes_the_key_does_not_leak_it(echo: bytes) -> None:
    def serve(peer: Peer) -> None:
        head, _ = peer.request()
        assert KEY.encode() in head
        peer.send(echo)

    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        client = running.ask(post(fields=b"Connection: close\r\n"))
        seen = client.rest()
    text = seen.replace(b"\r\n1\r\n", b"")  # one letter a chunk
    assert KEY.encode() not in text
    assert base64.b64encode(KEY.encode())[:-4] not in text
    assert text.count(b"*") >= len(KEY) - 1


def test_a_compressed_response_is_rejected() -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(reply(b"\x1f\x8b...", fields=b"Content-Encoding: gzip\r\n"))

    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        head, body = running.ask(post(fields=b"Accept-Encoding: gzip\r\n")).request()
    assert head.startswith(b"HTTP/1.1 502 ")
    assert "compressed its response" in error_of(head + body)["message"]


def test_a_dump_does_not_contain_the_key_either(tmp_path: Path) -> None:
    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(reply(KEY.encode(), fields=f"X-Echo: {KEY}\r\n".encode()))

    with (
        upstream(serve) as server,
        proxy(f"http://127.0.0.1:{server.port}/", "--dump-dir", str(tmp_path)) as running,
    ):
        running.ask(post(fields=b"Connection: close\r\n")).rest()
        running.process.terminate()
        running.process.wait(10)
    texts = [file.read_text() for file in tmp_path.iterdir()]
    assert len(texts) == 2
    assert not any(KEY in text for text in texts)
