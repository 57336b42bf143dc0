"""One response, read while the server keeps sending."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio
import pytest

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.model import event_stream
from code_core.model.errors import HttpError
from code_core.model.event_stream import EventStream
from code_core.model.request_log import RequestLog
from code_core.wire.sse import SseEvent, SseParser

JSON = "Application/JSON; charset=utf-8"


@dataclass
class Response:
    """The part of a response that is read."""

    headers: dict[str, str]
    body: AsyncIterator[bytes]

    def chunks(self) -> AsyncIterator[bytes]:
        return self.body


@asynccontextmanager
async def open_stream(
    *steps: bytes | float, idle: float = 30.0, sent: list[bytes] | None = None
) -> AsyncIterator[tuple[EventStream, AsyncGenerator[list[SseEvent]]]]:
    """A response that sends chunks, and waits for this many seconds between them."""

    async def body() -> AsyncIterator[bytes]:
        for step in steps:
            if isinstance(step, float):
                await anyio.sleep(step)
            else:
                if sent is not None:
                    sent.append(step)
                yield step

    stream = EventStream("P", idle, RequestLog("https://p/x", 1, 0), whole)
    async with stream.reading(Response({}, body())) as batches:
        yield stream, batches


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
        response = Response({"content-type": kind}, body())
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


def test_a_complete_json_answer_is_one_event() -> None:
    body = b'\xef\xbb\xbf \r\n{"a":1}'
    assert read(body, kind=JSON) == read(body) == [SseEvent("whole", b'{"a":1}')]


def test_a_complete_json_answer_may_be_larger_than_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SseParser", partial(SseParser, 100))
    long = b'{"a":"%s"}' % (b"x" * 200)
    assert read(long, kind=JSON) == [SseEvent("whole", long)]
    assert read(long[:3], long[3:], kind=JSON) == [SseEvent("whole", long)]
    with pytest.raises(RequestRefused, match="not a stream of events"):
        read(b"[", b"%s]" % long, kind=JSON)
    with pytest.raises(RequestRefused, match=r"^P: a server-sent event is larger than 100 bytes") as caught:
        read(long)
    assert caught.value.code == "provider"


def test_the_beginning_of_any_other_body_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_PLAIN_BYTES", 8)
    with pytest.raises(ModelError) as caught:
        read(b"a \xff ", b"page", b"further")
    assert "is not a stream of events: a \ufffd page (" in str(caught.value)
    assert str(caught.value).startswith("P: ")


@pytest.mark.parametrize(
    "ping",
    [
        b": still there\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        b'data: {"type":"keepalive"}\n\n',
        b"event: keep-alive\ndata: {}\n\n",
    ],
)
def test_comments_and_pings_alone_do_not_keep_a_stream_alive(ping: bytes) -> None:
    with pytest.raises(StreamBroken, match=r"^P sent nothing for 0\.05 seconds"):
        read(*[ping] * 200, idle=0.05, pause=0.01)


@pytest.mark.parametrize("start", [[], [b"\xef\xbb\xbf"], [b"\r\n"], [b": hello\n\n"]])
def test_a_stream_that_is_declared_as_json_is_read(start: list[bytes]) -> None:
    assert [event.data for event in read(*start, b"data: a\n\n", b"data: b\n\n", kind=JSON)] == [b"a", b"b"]


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
    error = HttpError("reset by peer")
    with pytest.raises(StreamBroken, match=r"^P: the stream broke: .*reset") as caught:
        read(b"data: a\n\n", error)
    assert caught.value.opened
    assert caught.value.__cause__ is error


def test_the_rest_of_a_response_may_be_hurried() -> None:
    async def main() -> None:
        with anyio.fail_after(5):
            async with open_stream(b"data: a\n\n", 60.0) as (stream, batches):
                assert await anext(batches) == [event("a")]
                stream.hurry(0.1)
                stream.hurry(60)  # no longer than before
                await anext(batches)

    with pytest.raises(StreamBroken, match=r"^P sent nothing for 0\.1 seconds"):
        anyio.run(main)


def test_received_data_can_be_read_late_even_after_hurrying() -> None:
    async def main() -> None:
        steps = (b"data: a\n\n", 0.05, b"data: b\n\n", 0.8, b"data: c\n\n")
        async with open_stream(*steps) as (stream, batches):
            assert await anext(batches) == [event("a")]
            await anyio.sleep(0.2)
            stream.hurry(0.4)
            await anyio.sleep(0.4)
            assert [batch async for batch in batches] == [[event("b")], [event("c")]]

    anyio.run(main)


def test_waiting_does_not_poll() -> None:
    async def main() -> None:
        async with open_stream(b"data: a\n\n", 60.0) as (_, batches), anyio.create_task_group() as tasks:
            await anext(batches)
            tasks.start_soon(anext, batches, None)
            with anyio.fail_after(5):
                await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    anyio.run(main)


def test_no_events_arrive_after_the_context_has_ended() -> None:
    async def main() -> None:
        async with open_stream(b"data: a\n\n", 0.05, b"data: b\n\n") as (_, batches):
            assert await anext(batches) == [event("a")]
        assert [batch async for batch in batches] == []

    anyio.run(main)


@pytest.mark.parametrize(("room", "taken"), [(8, 1), (9, 2), (17, 2), (18, 3)])
def test_the_server_waits_while_nobody_reads(monkeypatch: pytest.MonkeyPatch, room: int, taken: int) -> None:
    monkeypatch.setattr(event_stream, "MAX_UNREAD_BYTES", room)
    sent: list[bytes] = []

    async def main() -> None:
        async with open_stream(*[b"data: a\n\n"] * 5, sent=sent) as (_, batches):
            await anyio.wait_all_tasks_blocked()
            assert len(sent) == taken
            await anext(batches)
            await anyio.wait_all_tasks_blocked()
            assert len(sent) == min(2 * taken, 5)
            assert taken + sum([len(batch) async for batch in batches]) == 5

    anyio.run(main)


def test_time_in_which_nobody_reads_does_not_count_as_silence() -> None:
    async def main() -> None:
        async with open_stream(b"data: a\n\n", 1.2, b"data: b\n\n", idle=0.5) as (_, batches):
            await anyio.sleep(1)
            assert [batch async for batch in batches] == [[event("a")], [event("b")]]

    anyio.run(main)


def test_a_response_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "MAX_RESPONSE_BYTES", 18)
    log = RequestLog("https://p/x", 1, 0)
    assert read(b"data: a\n\n", b"data: b\n\n", log=log) == [event("a"), event("b")]
    assert log.received == 18
    with pytest.raises(RequestRefused, match=r"^P sent more than 0 MiB in one response") as caught:
        read(b"data: a\n\n", b"data: bc\n\n")
    assert caught.value.code == "provider"
