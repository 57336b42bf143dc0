import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.wire.errors import SseOverflowError
from code_core.wire.sse import SseEvent, SseParser


def parse(*chunks: bytes) -> list[tuple[str, bytes]]:
    parser = SseParser()
    return [(event.event, event.data) for chunk in chunks for event in parser.feed(chunk)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"data:a\n\n", [("message", b"a")]),
        (b"data:  a\n\n", [("message", b" a")]),
        (b"event: e\ndata: a\n\n", [("e", b"a")]),
        (b"data: a\nevent: e\n\ndata: b\n\n", [("e", b"a"), ("message", b"b")]),
        (b"data: a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"data\n\n", [("message", b"")]),
        (b"data: a\r\n\r\n", [("message", b"a")]),
        (b"data: a\r\r", [("message", b"a")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b": comment\nid: 1\nretry: 5\nunknown: x\ndata: a\n\n", [("message", b"a")]),
        (b"event: e\n\n", []),
        (b"\n\n\n", []),
        (b"data: a", []),
        (b"data: a\n", []),
        ("data: é\u2028x\n\n".encode(), [("message", "é\u2028x".encode())]),
    ],
)
def test_the_rules_of_the_format(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert parse(stream) == events


def test_an_unfinished_event_is_pending_and_never_delivered() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\n") == []
    assert parser.pending
    assert parser.feed(b"\n") == [SseEvent("message", b"a")]
    assert not parser.pending


STREAMS = st.lists(
    st.sampled_from(
        [b"data: x", b"data:", b"event: e", b": c", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"\xc3\xa9", b" "]
    ),
    max_size=30,
).map(b"".join)


@given(STREAMS, st.data())
def test_every_split_of_the_same_bytes_gives_the_same_events(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    chunks = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert parse(*chunks) == parse(stream) == parse(*(stream[i : i + 1] for i in range(len(stream))))


def seconds_for(megabytes: int, chunk_size: int) -> float:
    item = json.dumps({"text": "x" * (megabytes * 2**20)}).encode()
    stream = b"data: " + item + b"\n\n"
    parser = SseParser()
    started = time.perf_counter()
    events = [
        event
        for at in range(0, len(stream), chunk_size)
        for event in parser.feed(stream[at : at + chunk_size])
    ]
    elapsed = time.perf_counter() - started
    assert events == [SseEvent("message", item)]
    return elapsed


def test_a_64_mb_item_parses_in_linear_time() -> None:
    small = min(seconds_for(8, 64 * 1024) for _ in range(3))
    large = min(seconds_for(64, 64 * 1024) for _ in range(3))
    assert large < 8 * 6 * max(small, 0.008)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 200 + b"\n\n"],
        [b"data: ", *[b"x" * 10] * 20],
        [b"data: 12345\n"] * 30,
        [b"data\n"] * 200,
    ],
)
def test_an_event_over_the_limit_is_refused(chunks: list[bytes]) -> None:
    parser = SseParser(max_event_bytes=100)
    with pytest.raises(SseOverflowError, match="larger than 100 bytes"):
        [parser.feed(chunk) for chunk in chunks]
    assert SseParser(max_event_bytes=100).feed(b"data: " + b"x" * 80 + b"\n\n")
