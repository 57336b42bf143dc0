"""The server-sent events of one HTTP response, while the server keeps sending any."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

import anyio

from code_core.errors import RequestRefused, StreamBroken
from code_core.model.network import reason_of
from code_core.model.request_log import RequestLog
from code_core.wire.errors import SseOverflowError
from code_core.wire.failures import not_a_stream
from code_core.wire.sse import SseEvent, SseParser

if TYPE_CHECKING:
    import httpx2

MAX_RESPONSE_BYTES = 512 * 2**20
MAX_PLAIN_BYTES = 16 * 2**20
"""Of a body without events that is kept, for the answer of a server that does not stream, or for its words."""


class EventStream:
    """Reads one response.

    Args:
        where: the provider, for errors.
        idle: seconds without content after which the stream counts as broken. Comments and
            blank lines, which only keep the connection open, are not content.
        log: learns how much came.
        plain_answer: the event that stands for a whole answer in JSON; see `Wire`.
    """

    def __init__(
        self, where: str, idle: float, log: RequestLog, plain_answer: Callable[[bytes], SseEvent | None]
    ) -> None:
        self._where = where
        self.idle = idle
        self._log = log
        self._whole = plain_answer
        self._parser = SseParser()

    async def events(self, response: "httpx2.Response") -> AsyncGenerator[SseEvent]:
        """Each event, and at the end one that lacks its blank line.

        A whole answer in JSON instead of a stream is one event.

        Raises:
            ModelError: the stream broke, or is not one.
        """
        is_json = "json" in response.headers.get("content-type", "").lower()
        plain: bytearray | None = bytearray()
        async with aclosing(self._chunks(response, is_json)) as chunks:
            async for chunk in chunks:
                events = [] if is_json else self._parse(chunk)
                if events:
                    plain = None
                elif plain is not None and len(plain) < MAX_PLAIN_BYTES:
                    plain += chunk
                for event in events:
                    yield event
        events = [] if is_json else self._parser.end()
        for event in events:
            yield event
        if plain is not None and not events:
            yield self._plain_answer(bytes(plain))

    def _plain_answer(self, body: bytes) -> SseEvent:
        text = body.lstrip(b"\xef\xbb\xbf \t\r\n")
        if (event := self._whole(text)) is not None:
            return event
        raise not_a_stream(body.decode("utf-8", "replace")).located(self._where)

    def _parse(self, chunk: bytes) -> list[SseEvent]:
        try:
            return self._parser.feed(chunk)
        except SseOverflowError as error:
            raise RequestRefused(f"{self._where}: {error}", code="provider") from error

    async def _chunks(self, response: "httpx2.Response", is_json: bool) -> AsyncGenerator[bytes]:
        import httpx2

        chunks = response.aiter_bytes()
        received = 0
        content = self._parser.content
        last = time.monotonic()
        while True:
            try:
                with anyio.fail_after(max(0.0, last + self.idle - time.monotonic())):
                    chunk = await anext(chunks, None)
            except TimeoutError:
                raise StreamBroken(f"{self._where} sent nothing for {self.idle:g} seconds") from None
            except httpx2.RequestError as error:
                reason = reason_of(error)
                raise StreamBroken(f"{self._where}: the stream broke: {reason}") from error
            if chunk is None:
                return
            received += len(chunk)
            self._log.received = received
            if received > MAX_RESPONSE_BYTES:
                raise RequestRefused(
                    f"{self._where} sent more than {MAX_RESPONSE_BYTES // 2**20} MiB in one response",
                    code="provider",
                )
            yield chunk
            if is_json or self._parser.content != content:
                content = self._parser.content
                last = time.monotonic()
