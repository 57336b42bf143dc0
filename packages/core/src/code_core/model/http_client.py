"""The HTTP/1.1 client that asks providers: one request at a time per connection, its response as it comes.

A general client takes a tenth of a start to import, and half of what a piece of a stream costs
(see docs/benchmarks.md); a provider needs none of its cookies, redirects and HTTP/2.
"""

import select
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import ByteStream, SocketAttribute

from code_core.model.connection import Route, connect, forwarding_headers, receive, receive_head
from code_core.model.errors import HttpError
from code_core.wire.content_coding import inflater_for
from code_core.wire.errors import MalformedResponseError
from code_core.wire.http_head import ResponseHead, request_head, target_of
from code_responses_api_proxy.framing import EndlessBody, MalformedBodyError

IDLE_SECONDS = 5.0
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
        """The body, decompressed, as it comes.

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
                    return
                self._received = await receive(self._stream)
                if not self._received:
                    break
        except (MalformedBodyError, MalformedResponseError) as error:
            raise HttpError(str(error)) from error
        if not isinstance(body, EndlessBody):
            raise HttpError("the server closed the connection before the end of its answer")

    async def aclose(self) -> None:
        """Let go of the connection: it is kept if the whole response was read."""
        if self.is_closed:
            return
        self.is_closed = True
        if self._idle is not None and self._is_whole():
            self._idle.put(self._stream)
        else:
            await anyio.aclose_forcefully(self._stream)

    def _is_whole(self) -> bool:
        """Whether the server waits for another request."""
        return self._head.keeps_connection and self._head.body.done and not self._received


class IdleConnections:
    """Connections between two requests, for as long as they can be used again."""

    def __init__(self) -> None:
        self._kept: list[tuple[ByteStream, float]] = []

    def put(self, stream: ByteStream) -> None:
        """Keep a connection whose response was read to its end."""
        self._kept.append((stream, anyio.current_time() + IDLE_SECONDS))

    async def take(self) -> ByteStream | None:
        """The connection that was used last, if the server has kept it open too; the others are closed in time."""
        while self._kept:
            stream, until = self._kept.pop()
            if anyio.current_time() < until and not _is_readable(stream):
                return stream
            await anyio.aclose_forcefully(stream)
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
        """The response to a request, once its head is here; the caller closes it. Redirects are not followed.

        Raises:
            InvalidUrlError: `url` is not an http or https URL.
            ValueError: a header cannot be sent.
            ConnectError: there is no connection.
            HttpError: no response came.
        """
        target = target_of(url)
        sent = {
            b"host": target.authority.encode("ascii"),
            b"accept-encoding": b"identity",
            b"connection": b"close" if self._idle is None else b"keep-alive",
            **forwarding_headers(self.route, target),
            **headers,
        }
        if body is not None:
            sent[b"content-length"] = b"%d" % len(body)
        is_forwarded = self.route.proxy is not None and not target.is_tls
        address = f"{target.scheme}://{target.authority}{target.path}" if is_forwarded else target.path
        request = request_head(method, address, sent) + (body or b"")
        stream = await self._idle.take() if self._idle is not None else None
        if stream is None:
            stream = await connect(self.route, target)
        try:
            head, received = await _exchange(stream, request)
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise
        return HttpResponse(head, received, stream, self._idle)

    @asynccontextmanager
    async def get(self, url: str, headers: Mapping[bytes, bytes]) -> AsyncIterator[HttpResponse]:
        """The response to a `GET`, closed at the end. Raises what `send` raises."""
        response = await self.send("GET", url, headers)
        try:
            yield response
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()


async def _exchange(stream: ByteStream, request: bytes) -> tuple[ResponseHead, bytes]:
    """Send a request and receive the head of its response, which may come before the request is complete."""
    try:
        await stream.send(request)
    except (OSError, anyio.BrokenResourceError) as error:
        try:
            return await receive_head(stream)
        except HttpError:
            raise HttpError(str(error) or "the connection broke") from error
    return await receive_head(stream)


def _is_readable(stream: ByteStream) -> bool:
    """Whether something came on an idle connection: its end, or what nobody asked for."""
    poll = select.poll()
    poll.register(stream.extra(SocketAttribute.raw_socket).fileno(), select.POLLIN)  # noqa: S610 - not Django's
    return bool(poll.poll(0))
