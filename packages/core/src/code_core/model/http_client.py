"""An HTTP/1.1 client for providers: one request at a time on a connection, with its response as it arrives.

With a general-purpose client, a run with one message takes a fifth more instructions, and each piece of a
stream takes half as many again (see docs/benchmarks.md). Providers do not need its cookies, redirects and HTTP/2.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import ByteStream

from code_core.model.connection import Route, connect, has_only_ended, receive, receive_head, send
from code_core.model.errors import HttpError, UnansweredError
from code_core.wire.content_coding import inflater_for
from code_core.wire.errors import MalformedResponseError
from code_core.wire.http_head import ResponseHead, request_head, target_of
from code_responses_api_proxy.framing import Body, EndlessBody, MalformedBodyError

IDLE_SECONDS = 60.0
"""How long a connection is kept for the next request."""


class HttpResponse:
    """One response; its body is read once.

    Attributes:
        status: the status code.
        headers: by lower-case name.
        is_closed: whether `aclose` was called.
    """

    def __init__(
        self, head: ResponseHead, received: bytes, stream: ByteStream, idle: "IdleConnections | None"
    ) -> None:
        self.status = head.status
        self.headers: Mapping[str, str] = head.headers
        self.is_closed = False
        self._head = head
        self._received = received
        self._stream = stream
        self._idle = idle

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body, decompressed, as it arrives.

        Raises:
            HttpError: it breaks off, or is malformed.
        """
        body = self._head.body
        try:
            inflater = inflater_for(self.headers)
            while True:
                content, self._received = body.feed(self._received)
                if inflater is None:
                    if content:
                        yield content
                else:
                    for piece in inflater.pieces(content):
                        yield piece
                if body.done:
                    break
                self._received = await receive(self._stream)
                if not self._received:
                    if not isinstance(body, EndlessBody):
                        raise HttpError("the server closed the connection before the end of its answer")
                    break
            if inflater is not None:
                inflater.check_end()
        except (MalformedBodyError, MalformedResponseError) as error:
            raise HttpError(str(error)) from error

    async def aclose(self, *, is_whole: bool = False) -> None:
        """Release the connection, which is kept for the next request if the whole response was read.

        Args:
            is_whole: whether everything that matters was read, so only the end of the body may be missing.
        """
        if self.is_closed:
            return
        self.is_closed = True
        body = self._head.body
        is_kept = self._head.keeps_connection and (is_whole or body.done) and not self._received
        if self._idle is not None and is_kept:
            self._idle.put(self._stream, body)
        else:
            await anyio.aclose_forcefully(self._stream)


class IdleConnections:
    """Connections that wait for their next request."""

    def __init__(self) -> None:
        self._kept: list[tuple[ByteStream, Body, float]] = []

    def put(self, stream: ByteStream, body: Body) -> None:
        """Keep a connection; the end of its last response, `body`, may still be on its way."""
        self._kept.append((stream, body, anyio.current_time() + IDLE_SECONDS))

    async def take(self) -> ByteStream | None:
        """Return a connection whose server waits for a request, or None; unusable ones are closed."""
        while self._kept:
            stream, body, until = self._kept.pop()
            is_usable = False
            try:
                is_usable = anyio.current_time() < until and await has_only_ended(stream, body)
            finally:
                if not is_usable:
                    await anyio.aclose_forcefully(stream)
            if is_usable:
                return stream
        return None

    async def aclose(self) -> None:
        """Close all of them."""
        while self._kept:
            await anyio.aclose_forcefully(self._kept.pop()[0])


class HttpClient:
    """Sends requests along one route.

    Args:
        route: the way to the servers.
        keeps_connections: whether one connection serves several requests.
    """

    def __init__(self, route: Route, *, keeps_connections: bool) -> None:
        self.route = route
        self.is_closed = False
        self._idle = IdleConnections() if keeps_connections else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that no response uses."""
        self.is_closed = True
        if self._idle is not None:
            await self._idle.aclose()

    async def send(
        self, method: str, url: str, headers: Mapping[bytes, bytes], body: bytes | None = None
    ) -> HttpResponse:
        """Send a request and return the response, which the caller closes, as soon as its head has arrived.

        Redirects are not followed. A request on a kept connection that the server closes without an answer is
        sent once more: the server may have closed it before the request arrived.

        Raises:
            InvalidUrlError: `url` is not an http or https URL.
            ValueError: a header cannot be sent.
            ConnectError: no connection could be made.
            HttpError: no response arrived.
        """
        target = target_of(url)
        proxy = None if target.is_tls else self.route.proxy  # a tunnel has its own request
        sent = {
            b"host": target.authority.encode("ascii"),
            b"accept-encoding": b"identity",
            b"connection": b"close" if self._idle is None else b"keep-alive",
            **(proxy.headers if proxy is not None else {}),
            **headers,
        }
        if body is not None:
            sent[b"content-length"] = b"%d" % len(body)
        address = target.path if proxy is None else f"{target.scheme}://{target.authority}{target.path}"
        request = request_head(method, address, sent) + (body or b"")
        kept = await self._idle.take() if self._idle is not None else None
        if kept is not None:
            try:
                return await self._exchange(kept, request)
            except UnansweredError:
                pass
        return await self._exchange(await connect(self.route, target), request)

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[bytes, bytes]) -> AsyncIterator[HttpResponse]:
        """Yield the response to a `GET` and close it at the end. Raises what `send` raises."""
        response = await self.send("GET", url, headers)
        try:
            yield response
        finally:
            await response.aclose()

    async def _exchange(self, stream: ByteStream, request: bytes) -> HttpResponse:
        """Send a request and receive the head of its response, which may come before all of the request is sent."""
        try:
            try:
                await send(stream, request)
            except HttpError as error:
                try:
                    head, received = await receive_head(stream)
                except UnansweredError:
                    raise UnansweredError(str(error)) from error.__cause__
            else:
                head, received = await receive_head(stream)
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
        return HttpResponse(head, received, stream, self._idle)
