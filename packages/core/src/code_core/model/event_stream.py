"""Reads the server-sent events of one HTTP response, with a limit on silence."""

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from code_core.errors import ModelError, RequestRefused, StreamBroken
from code_core.model.errors import HttpError
from code_core.model.network import reason_of
from code_core.model.request_log import RequestLog
from code_core.wire.errors import SseOverflowError
from code_core.wire.failures import not_a_stream
from code_core.wire.sse import SseEvent, SseParser

MAX_RESPONSE_BYTES = 512 * 2**20
MAX_PLAIN_BYTES = 16 * 2**20
"""Limit on a body without events, which is kept in case it is a complete answer or an error message."""
MAX_UNREAD_BYTES = 2**18
"""Limit on unparsed data; the server then waits. Parsing this much takes a few milliseconds."""


_BLANK = b"\xef\xbb\xbf \t\r\n"
_PING = re.compile(rb'\s*\{\s*("type"\s*:\s*"(ping|keep-?alive)"\s*)?\}\s*')


class StreamedResponse(Protocol):
    """What `EventStream` needs of a response."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, by lower-case name."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises `HttpError` if it breaks off."""
        ...


class EventStream:
    """Receives one response in a separate task and parses whatever has arrived when asked.

    A burst of small chunks, which fast models send, is thus parsed and passed on in one step.

    Args:
        where: the provider, for errors.
        idle: seconds without content after which the stream counts as broken. Comments, blank lines
            and pings, which only keep the connection open, are not content.
        log: records how much was received.
        plain_answer: converts a complete JSON answer to an event; see `Wire`.
    """

    def __init__(
        self, where: str, idle: float, log: RequestLog, plain_answer: Callable[[bytes], SseEvent | None]
    ) -> None:
        self._where = where
        self._idle = idle
        self._log = log
        self._whole = plain_answer
        self._parser = SseParser()
        self._unread: list[bytes] = []
        self._unread_bytes = 0
        self._ended = False
        self._problem: ModelError | None = None
        self._arrival = anyio.Event()
        self._room = anyio.Event()
        self._limit = anyio.CancelScope()  # limits the wait for the next chunk
        self._last_content = anyio.current_time()

    @asynccontextmanager
    async def reading(self, response: StreamedResponse) -> AsyncIterator[AsyncGenerator[list[SseEvent]]]:
        """Yield the events in batches, as they arrive; errors in the body of the context pass through.

        A complete JSON answer instead of a stream becomes one event, and so does a final event without its
        blank line. Iterating raises `ModelError` if the stream broke or is not an event stream.
        """
        problem: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read, response)
            batches = self._batches("json" in response.headers.get("content-type", "").lower())
            try:
                yield batches
            except Exception as error:  # noqa: BLE001 - raised below, because the group would wrap it
                problem = error
            finally:
                await batches.aclose()
                tasks.cancel_scope.cancel()
        if problem is not None:
            raise problem

    def hurry(self, seconds: float) -> None:
        """From now on, wait at most `seconds` for more content."""
        self._idle = min(self._idle, seconds)
        self._wait_on()

    async def _batches(self, is_json: bool) -> AsyncGenerator[list[SseEvent]]:
        plain: bytearray | None = bytearray()
        content = self._parser.content
        while chunk := await self._received():
            if (
                is_json
                and not (plain or b"").strip(_BLANK)
                and not chunk.lstrip(_BLANK).startswith((b"{", b"["))
            ):
                is_json = False  # some servers declare a stream as JSON
            events = [] if is_json else self._parse(chunk)
            if is_json or (self._parser.content != content and not _keeps_alive(events)):
                self._last_content = anyio.current_time()
            content = self._parser.content
            self._wait_on()
            if events:
                plain = None
                yield events
            elif plain is not None and len(plain) < MAX_PLAIN_BYTES:
                plain += chunk
        events = [] if is_json else self._parser.end()
        if not events and plain is not None:
            events = [self._plain_answer(bytes(plain))]
        if events:
            yield events

    async def _received(self) -> bytes:
        """Wait for data and return everything received so far, or nothing at the end of the response."""
        while not self._unread and not self._ended:
            self._arrival = anyio.Event()
            await self._arrival.wait()
        if not self._unread and self._problem is not None:
            raise self._problem
        chunk = b"".join(self._unread)
        self._unread.clear()
        self._unread_bytes = 0
        self._room.set()
        return chunk

    def _wait_on(self) -> None:
        """Restart the idle time for the next chunk, counting from the last content."""
        if not self._ended and not self._unread:
            self._limit.deadline = self._last_content + self._idle

    def _plain_answer(self, body: bytes) -> SseEvent:
        text = body.lstrip(_BLANK)
        if (event := self._whole(text)) is not None:
            return event
        raise not_a_stream(body.decode("utf-8", "replace")).located(self._where)

    def _parse(self, chunk: bytes) -> list[SseEvent]:
        try:
            return self._parser.feed(chunk)
        except SseOverflowError as error:
            raise RequestRefused(f"{self._where}: {error}", code="provider") from error

    async def _read(self, response: StreamedResponse) -> None:
        """Receive the response until it ends or fails; the reader gets an error after the data before it."""
        try:
            with self._limit:
                self._wait_on()
                await self._receive(response)
            if self._limit.cancelled_caught:
                self._problem = StreamBroken(f"{self._where} sent nothing for {self._idle:g} seconds")
        except HttpError as error:
            self._problem = StreamBroken(f"{self._where}: the stream broke: {reason_of(error)}")
            self._problem.__cause__ = error
        except ModelError as error:
            self._problem = error
        self._ended = True
        self._arrival.set()

    async def _receive(self, response: StreamedResponse) -> None:
        received = 0
        async for chunk in response.chunks():
            received += len(chunk)
            self._log.received = received
            if received > MAX_RESPONSE_BYTES:
                raise RequestRefused(
                    f"{self._where} sent more than {MAX_RESPONSE_BYTES // 2**20} MiB in one response",
                    code="provider",
                )
            if not self._unread:
                self._limit.deadline = math.inf  # no limit while the reader has data to parse
                self._arrival.set()
            self._unread.append(chunk)
            self._unread_bytes += len(chunk)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self._room = anyio.Event()
                await self._room.wait()


def _keeps_alive(events: list[SseEvent]) -> bool:
    """Whether `events` are all pings."""
    return bool(events) and all(_PING.fullmatch(event.data) is not None for event in events)
