"""One response, read while the server keeps sending."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

import anyio
import httpx2
import pytest

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.model import event_stream
from code_core.model.event_stream import EventStream
from code_core.model.request_log import RequestLog
from code_core.wire.sse import SseEvent, SseParser

JSON = "Application/JSON; charset=utf-8"


def read(
    *chunks: bytes | Exception,
    kind: str = "text/event-stream",
    idle: float = 30.0,
    pause: float = 0.0,
    log: RequestLog | None = None,
) -> list[SseEvent]:
    """The events of a response that comes in `chunks`, with a pause after each."""

    async def body() -> AsyncIterator[bytes]:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk
            await anyio.sleep(pause)

    async def main() -> list[SseEvent]:
        response = httpx2.Response(200, headers={"content-type": kind}, content=body())
        stream = EventStream("P", idle, log or RequestLog("https://p/x", 1, 0), whole)
        async with stream.reading(response) as batches:
            return [event async for batch in batches for event in batch]
        raise AssertionError("the body has ended or raised")

    return anyio.run(main)


def whole(body: bytes) -> SseEvent | None:
    return SseEvent("whole", body) if body.startswith(b"{") else None


def event(text: str) -> SseEvent:
    return SseEvent("message", text.encode())


@pytest.mark.parametrize(
    "chunks",
    [
        (b"data: a\n\ndata: b\n\n",),
        (b"data: a\n\n", b"data", b": b\n", b"\n"),
        (b"data: a\n\ndata: b\n",),
        (b"data: a\n\n", b": still there\n\n", b"data: b"),
    ],
)
def test_events_are_read_however_they_are_split(chunks: Sequence[bytes]) -> None:
    assert read(*chunks) == [event("a"), event("b")]


def test_a_whole_answer_is_one_event() -> None:
    body = b'\xef\xbb\xbf \r\n{"a":1}'
    assert read(body, kind=JSON) == read(body) == [SseEvent("whole", b'{"a":1}')]


def test_a_whole_answer_may_be_larger_than_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SseParser", partial(SseParser, 100))
    long = b'{"a":"%s"}' % (b"x" * 200)
    assert read(long, kind=JSON) == [SseEvent("whole", long)]
    with pytest.raises(RequestRefused, match=r"^P: a server-sent event is larger than 100 bytes") as caught:
        read(long)
    assert caught.value.code == "provider"


def test_what_is_no_stream_is_shown_as_far_as_it_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_PLAIN_BYTES", 8)
    with pytest.raises(ModelError) as caught:
        read(b"a \xff ", b"page", b"further")
    assert "is not a stream of events: a \ufffd page (" in str(caught.value)
    assert str(caught.value).startswith("P: ")


def test_comments_alone_do_not_keep_a_stream_alive() -> None:
    with pytest.raises(StreamBroken, match=r"^P sent nothing for 0\.05 seconds"):
        read(*[b": still there\n\n"] * 200, idle=0.05, pause=0.01)


@pytest.mark.parametrize(
    ("kind", "chunks"),
    [
        ("text/event-stream", [b"data: a\n\n"] * 12),
        ("text/event-stream", [b"data: a", *[b"a"] * 12, b"\n\n"]),
        (JSON, [b"{", *[b" "] * 12, b"}"]),
    ],
)
def test_content_keeps_a_slow_stream_alive(kind: str, chunks: list[bytes]) -> None:
    assert read(*chunks, kind=kind, idle=0.2, pause=0.03)


def test_a_connection_that_breaks_is_a_broken_stream() -> None:
    with pytest.raises(StreamBroken, match=r"^P: the stream broke: .*reset") as caught:
        read(b"data: a\n\n", httpx2.ReadError("reset by peer"))
    assert caught.value.opened


def test_a_response_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_RESPONSE_BYTES", 18)
    log = RequestLog("https://p/x", 1, 0)
    assert read(b"data: a\n\n", b"data: b\n\n", log=log) == [event("a"), event("b")]
    assert log.received == 18
    with pytest.raises(RequestRefused, match=r"^P sent more than 0 MiB in one response") as caught:
        read(b"data: a\n\n", b"data: bc\n\n")
    assert caught.value.code == "provider"
