"""One connection to a server: directly or through a proxy, encrypted or not."""

import os
import socket
import ssl
from base64 import b64encode
from contextlib import suppress
from dataclasses import field
from urllib.parse import unquote_to_bytes

import anyio
import anyio.lowlevel
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from code_core.frozen import frozen
from code_core.model.errors import ConnectError, HttpError, UnansweredError
from code_core.wire.errors import MalformedResponseError
from code_core.wire.failures import excerpt
from code_core.wire.http_head import ResponseHead, Target, parse_response_head, request_head
from code_responses_api_proxy.fields import HEAD_LIMIT
from code_responses_api_proxy.framing import Body, MalformedBodyError

MOST_RECEIVED = 2**16
MOST_SENT = 2**18
"""Bytes that are encrypted or written in one step, which takes a fraction of a millisecond."""
ACKNOWLEDGE: int | None = getattr(socket, "TCP_QUICKACK", None)
"""The option that acknowledges immediately what has arrived (Linux; tcp(7)).

Many servers write head and body separately, and hold the body back until the head is acknowledged. That takes 40 ms
on a kept connection; the system acknowledges the first segments of a new one immediately.
"""
_LONGEST_INTERIM = 2 * HEAD_LIMIT
_LONGEST_REASON = 200
_TURNS_TO_RECEIVE = 6


@frozen
class HttpProxy:
    """An HTTP proxy.

    Attributes:
        authorization: the value of `Proxy-Authorization`, if the proxy requires a password.
    """

    host: str
    port: int
    authorization: bytes | None = field(default=None, repr=False)

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers of a request to the proxy itself."""
        return {} if self.authorization is None else {b"proxy-authorization": self.authorization}


@frozen
class Route:
    """The route to a server.

    Attributes:
        tls: how certificates are verified; None for a server without TLS.
        seconds: time limit for making a connection.
    """

    proxy: HttpProxy | None
    tls: ssl.SSLContext | None
    seconds: float


def proxy_at(url: str) -> HttpProxy:
    """Return the proxy at `url`, which has the form that `network.proxy_for` returns."""
    login, _, address = url.removeprefix("http://").rpartition("@")
    host, _, port = address.rpartition(":")
    authorization = None
    if login:
        decoded = unquote_to_bytes(os.fsencode(login if ":" in login else f"{login}:"))
        authorization = b"Basic " + b64encode(decoded)
    return HttpProxy(host.strip("[]"), int(port), authorization)


async def connect(route: Route, target: Target) -> ByteStream:
    """Return a connection for requests to `target`.

    Raises:
        ConnectError: it failed; the cause has the reason.
    """
    try:
        with anyio.fail_after(route.seconds):
            return await _connected(route, target)
    except TimeoutError:
        raise ConnectError(f"no connection within {route.seconds:g} seconds") from None
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise ConnectError(str(error) or "the connection was closed") from error


async def send(stream: ByteStream, data: bytes) -> None:
    """Send `data`.

    Raises:
        HttpError: the connection broke.
    """
    try:
        for start in range(0, len(data), MOST_SENT):
            await stream.send(data[start : start + MOST_SENT])
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise HttpError(str(error) or "the connection broke") from error


async def receive(stream: ByteStream) -> bytes:
    """Return the next bytes, or nothing at the end.

    Raises:
        HttpError: the connection broke.
    """
    try:
        received = await stream.receive(MOST_RECEIVED)
    except anyio.EndOfStream:
        return b""
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
        raise HttpError(str(error) or "the connection broke") from error
    if ACKNOWLEDGE is not None:
        raw = stream.extra(SocketAttribute.raw_socket, None)  # noqa: S610 - not of Django
        if raw is not None:
            with suppress(OSError):  # it is only a request to be faster
                raw.setsockopt(socket.IPPROTO_TCP, ACKNOWLEDGE, 1)
    return received


async def receive_head(stream: ByteStream) -> tuple[ResponseHead, bytes]:
    """Return the head of a response, and the bytes that came after it.

    Raises:
        UnansweredError: the connection ended before the first byte.
        HttpError: the connection broke or ended later, or this is not HTTP/1.1.
    """
    head, data, size = None, b"", 0
    while head is None:
        try:
            received = await receive(stream)
        except HttpError as error:
            raise (error if size else UnansweredError(str(error))) from error.__cause__
        if not received:
            text = "the server closed the connection without an answer"
            raise HttpError(text) if size else UnansweredError(text)
        size += len(received)
        try:
            head, data = parse_response_head(data + received)
        except MalformedResponseError as error:
            raise HttpError(str(error)) from error
        if head is None and size > _LONGEST_INTERIM:
            raise HttpError("the server sends interim responses without end")
    return head, data


async def has_only_ended(stream: ByteStream, body: Body) -> bool:
    """Whether an idle connection has received the rest of `body`, its last response, and nothing else.

    An end of the connection, bytes without a request, and a long remainder make it unusable. Reads until nothing
    arrives for a few turns of the event loop, because arrived data may be in any of the lower buffers.
    """
    has_more = False
    size = turns = 0

    async def listen() -> None:
        nonlocal has_more, size, turns
        surplus = b""
        with suppress(HttpError, MalformedBodyError):
            while not surplus and size <= MOST_RECEIVED and (received := await receive(stream)):
                turns = 0
                size += len(received)
                _, surplus = (b"", received) if body.done else body.feed(received)
        has_more = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listen)
        while turns < _TURNS_TO_RECEIVE and not has_more:
            turns += 1
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    return body.done and not has_more


async def _connected(route: Route, target: Target) -> ByteStream:
    proxy = route.proxy
    host, port = (target.host, target.port) if proxy is None else (proxy.host, proxy.port)
    stream: ByteStream = await anyio.connect_tcp(host, port)
    if not target.is_tls:
        return stream
    try:
        if proxy is not None:
            await _tunnel(stream, proxy, target)
        assert route.tls is not None  # noqa: S101 - created for the scheme of the requests
        # Without a closing handshake, because HTTP itself marks the end of a response.
        return await TLSStream.wrap(
            stream, hostname=target.host, ssl_context=route.tls, standard_compatible=False, server_side=False
        )
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


async def _tunnel(stream: ByteStream, proxy: HttpProxy, target: Target) -> None:
    """Ask the proxy to forward all bytes from here on (CONNECT, RFC 9110 §9.3.6)."""
    where = f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"
    try:
        await send(stream, request_head("CONNECT", where, {b"host": where.encode("ascii"), **proxy.headers}))
        head, surplus = await receive_head(stream)
    except HttpError as error:
        raise ConnectError(f"the proxy: {error}") from error
    if not 200 <= head.status < 300:
        raise ConnectError(
            f"the proxy refused: {head.status} {excerpt(head.reason, _LONGEST_REASON)}".rstrip()
        )
    if surplus:
        raise ConnectError("the proxy sent more than its answer to CONNECT")
