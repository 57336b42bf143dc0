import re
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.wire.errors import SseOverflowError
from code_core.wire.sse import SseEvent, SseParser


def parse(*chunks: bytes, limit: int = 2**20) -> list[tuple[str, bytes]]:
    parser = SseParser(limit)
    return [(event.event, event.data) for chunk in chunks for event in parser.feed(chunk)]


def in_chunks(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def events_of_whole(stream: bytes) -> list[tuple[str, bytes]]:
    """The standard's algorithm, step by step, on a complete stream."""
    *lines, _ = re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf"))
    events: list[tuple[str, bytes]] = []
    event_type, data = b"", b""
    for line in lines:
        if line == b"":
            if data:
                events.append((event_type.decode("utf-8", "replace") or "message", data.removesuffix(b"\n")))
            event_type, data = b"", b""
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            event_type = value
        elif field == b"data":
            data += value + b"\n"
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("message", b"a")]),
        (b"data:a\n\n", [("message", b"a")]),
        (b"data:  a\n\n", [("message", b" a")]),
        (b"data:\ta\n\n", [("message", b"\ta")]),
        (b"data: a: b\n\n", [("message", b"a: b")]),
        (b"data\n\n", [("message", b"")]),
        (b"data:\n\n", [("message", b"")]),
        (b"data\ndata\n\n", [("message", b"\n")]),
        (b"data: a\ndata: b\n\n", [("message", b"a\nb")]),
        (b"data: a\ndata:\ndata: b\n\n", [("message", b"a\n\nb")]),
        (b"event: e\ndata: a\n\n", [("e", b"a")]),
        (b"event:e\ndata: a\n\n", [("e", b"a")]),
        (b"data: a\nevent: e\n\ndata: b\n\n", [("e", b"a"), ("message", b"b")]),
        (b"event: e\nevent: f\ndata: a\n\n", [("f", b"a")]),
        (b"event: e\nevent\ndata: a\n\n", [("message", b"a")]),
        (b"event: \xff\ndata: a\n\n", [("\N{REPLACEMENT CHARACTER}", b"a")]),
        (b"data: a\r\n\r\n", [("message", b"a")]),
        (b"data: a\r\ndata: b\r\n\r\n", [("message", b"a\nb")]),
        (b"data: a\r\r", [("message", b"a")]),
        (b"data: a\n\r\ndata: b\r\n\n", [("message", b"a"), ("message", b"b")]),
        (b"\xef\xbb\xbfdata: a\n\n", [("message", b"a")]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("message", b"a")]),
        (b"\xef\xbb\xbf\ndata: a\n\n", [("message", b"a")]),
        (b"\n\xef\xbb\xbfdata: a\n\n", []),
        (b": comment\nid: 1\nretry: 5\nunknown: x\ndata: a\n\n", [("message", b"a")]),
        (b":\ndata: a\n:\n\n", [("message", b"a")]),
        (b"Data: a\n\n", []),
        (b" data: a\n\n", []),
        (b"data : a\n\n", []),
        (b"database: a\n\n", []),
        (b"events: e\ndata: a\n\n", [("message", b"a")]),
        (b"event: e\n\n", []),
        (b"event: e\n\ndata: a\n\n", [("message", b"a")]),
        (b"\n\n\n", []),
        (b"", []),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"data: a\n\ndata: b\n", [("message", b"a")]),
        (b"data: \x00\xff\n\n", [("message", b"\x00\xff")]),
        ("data: é\u2028\u0085\v\fx\n\n".encode(), [("message", "é\u2028\u0085\v\fx".encode())]),
    ],
)
def test_rules_of_the_format(stream: bytes, events: list[tuple[str, bytes]]) -> None:
    assert events_of_whole(stream) == events
    assert parse(stream) == events
    assert parse(*in_chunks(stream, 1)) == events


@pytest.mark.parametrize(
    "chunks", [[b"data: a\r", b"\n\r", b"\n"], [b"data: a\r", b"", b"\n\r"], [b"data: a\n", b"\r", b"\n"]]
)
def test_a_split_cr_lf_ends_one_line(chunks: list[bytes]) -> None:
    assert parse(*chunks, b"data: b\n\n") == [("message", b"a"), ("message", b"b")]


def test_an_event_is_returned_with_the_chunk_that_completes_it() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\r\n\r") == [SseEvent("message", b"a")]
    assert parser.feed(b"\ndata: b\n\ndata: c\n\nda") == [
        SseEvent("message", b"b"),
        SseEvent("message", b"c"),
    ]
    assert parser.feed(b"ta: d\n\n") == [SseEvent("message", b"d")]


PIECES = [
    *(
        b"data: x",
        b"data:",
        b"data",
        b"event: e",
        b"event",
        b": c",
        b"id: 1",
        b"\xef\xbb\xbf",
        b"\xc3\xa9",
        b" ",
    ),
    *(b"\n", b"\n", b"\n\n", b"\r", b"\r\n"),
]
STREAMS = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join)


@st.composite
def split_streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    stream = draw(STREAMS)
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return stream, [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(split_streams())
def test_the_events_are_the_same_for_every_split_of_the_bytes(
    split: tuple[bytes, list[bytes]],
) -> None:
    stream, chunks = split
    assert parse(*chunks) == parse(stream) == parse(*in_chunks(stream, 1)) == events_of_whole(stream)


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 2000 + b"\n\n"],
        [b"data: ", *[b"x" * 100] * 20],
        [b"data: 12345\n"] * 30,
        [b"data\n" * 30],
        [b": ", *[b"x"] * 1000],
    ],
)
def test_an_event_over_the_limit_is_rejected(chunks: list[bytes]) -> None:
    with pytest.raises(SseOverflowError, match="larger than 1,000 bytes"):
        parse(*chunks, limit=1000)


def test_an_event_may_reach_the_limit() -> None:
    parser = SseParser(7 + 64)  # a line of 7 bytes, and the overhead of a chunk
    for _ in range(2):
        assert parser.feed(b"data: x") == []
        assert parser.feed(b"\n\n") == [SseEvent("message", b"x")]
    with pytest.raises(SseOverflowError):
        parser.feed(b"data: xy")


@pytest.mark.parametrize("piece", [b"da", b"data: x\n", b"\ndata: x\n\n", b"x\n", b"\nid: 1\n\n"])
def test_content_grows_with_all_that_is_content(piece: bytes) -> None:
    parser = SseParser()
    assert parser.content == 0
    parser.feed(piece)
    assert parser.content > 0


@pytest.mark.parametrize("piece", [b"", b"\n\n", b":", b": c\n\n", b"\n: c\n: d\n\n", b"\r\n"])
def test_content_does_not_grow_with_what_keeps_a_connection_open(piece: bytes) -> None:
    parser = SseParser()
    parser.feed(piece)
    assert parser.content == 0


def test_the_limit_is_for_one_event_and_not_for_the_stream() -> None:
    event = b"event: e\ndata: " + b"x" * 600 + b"\n\n"
    assert len(parse(event * 50, limit=1000)) == 50
    assert len(parse(*in_chunks(event * 50, 150), limit=1000)) == 50


def seconds_for(size: int, chunk_size: int) -> float:
    item = b"x" * size
    chunks = in_chunks(b"data: " + item + b"\n\n", chunk_size)
    parser = SseParser(2**28)
    started = time.thread_time()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    elapsed = time.thread_time() - started
    assert events == [SseEvent("message", item)]
    return elapsed


@pytest.mark.parametrize(("size", "chunk_size"), [(2**20, 16 * 1024), (2**19, 16)])
def test_a_long_line_takes_linear_time(size: int, chunk_size: int) -> None:
    small = min(seconds_for(size, chunk_size) for _ in range(3))
    large = min(seconds_for(16 * size, chunk_size) for _ in range(3))
    assert large < 8 * 16 * small  # quadratic work: 256 times


def peak_memory(parser: SseParser, chunk: bytes, number: int) -> int:
    tracemalloc.start()
    try:
        parser.feed(b"data: ")
        for _ in range(number):
            parser.feed(bytes(bytearray(chunk)))  # of its own, as a chunk from a socket
        parser.feed(b"\n\n")
    except SseOverflowError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_a_long_line_takes_twice_its_size_in_memory() -> None:
    assert peak_memory(SseParser(), b"x" * 64 * 1024, 256) < 2.1 * 16 * 2**20


@pytest.mark.parametrize("chunk", [b"ab", b"data:ab\n", b"data:ab\n" * 1000, b"data\n"])
def test_the_limit_applies_to_memory_however_small_the_chunks_are(chunk: bytes) -> None:
    limit = 2**20
    assert peak_memory(SseParser(limit), chunk, 2 * limit // len(chunk)) < 2.1 * limit
