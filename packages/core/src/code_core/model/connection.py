"""One connection to a server: directly or through a proxy, encrypted or not."""

import ssl
from base64 import b64encode
from urllib.parse import unquote_to_bytes, urlsplit

import anyio
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream

from code_core.frozen import frozen
from code_core.model.errors import ConnectError, HttpError
from code_core.wire.errors import MalformedResponseError
from code_core.wire.http_head import ResponseHead, Target, parse_response_head, request_head

MOST_RECEIVED = 2**16


@frozen
class Route:
    """The way to servers.

    Attributes:
        proxy: as `network.proxy_for` gives it.
        tls: how certificates are checked; None where no server uses TLS.
        seconds: how long making a connection may take.
    """

    proxy: str | None
    tls: ssl.SSLContext | None
    seconds: float


def forwarding_headers(route: Route, target: Target) -> dict[bytes, bytes]:
    """What a request needs besides its own headers where a proxy forwards it, which it does without TLS."""
    return {} if route.proxy is None or target.is_tls else _proxy_authorization(route.proxy)


async def connect(route: Route, target: Target) -> ByteStream:
    """A connection that requests for `target` can be sent on.

    Raises:
        ConnectError: there is none; its cause is the reason.
    """
    try:
        with anyio.fail_after(route.seconds):
            return await _connected(route, target)
    except TimeoutError:
        raise ConnectError(f"no connection within {route.seconds:g} seconds") from None
    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise ConnectError(str(error) or "the connection was closed") from error


async def receive(stream: ByteStream) -> bytes:
    """The next bytes; nothing at the end.

    Raises:
        HttpError: the connection broke.
    """
    try:
        return await stream.receive(MOST_RECEIVED)
    except anyio.EndOfStream:
        return b""
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
        raise HttpError(str(error) or "the connection broke") from error


async def receive_head(stream: ByteStream) -> tuple[ResponseHead, bytes]:
    """The head of a response, and what came after it.

    Raises:
        HttpError: the connection broke or ended, or what came is not HTTP/1.1.
    """
    head, data = None, b""
    while head is None:
        received = await receive(stream)
        if not received:
            raise HttpError("the server closed the connection without an answer")
        try:
            head, data = parse_response_head(data + received)
        except MalformedResponseError as error:
            raise HttpError(str(error)) from error
    return head, data


async def _connected(route: Route, target: Target) -> ByteStream:
    host, port = target.host, target.port
    if route.proxy is not None:
        proxy = urlsplit(route.proxy)
        assert proxy.hostname is not None  # noqa: S101 - `proxy_for` has seen to it
        assert proxy.port is not None  # noqa: S101 - as above
        host, port = proxy.hostname, proxy.port
    stream: ByteStream = await anyio.connect_tcp(host, port)
    if not target.is_tls:
        return stream
    try:
        if route.proxy is not None:
            await _tunnel(stream, route.proxy, target)
        assert route.tls is not None  # noqa: S101 - made for the scheme of the requests
        # Without a closing handshake: HTTP says itself where a response ends.
        return await TLSStream.wrap(
            stream, hostname=target.host, ssl_context=route.tls, standard_compatible=False, server_side=False
        )
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise


async def _tunnel(stream: ByteStream, proxy: str, target: Target) -> None:
    """Ask the proxy to pass on bytes from here on (CONNECT, RFC 9110 §9.3.6)."""
    where = f"[{target.host}]:{target.port}" if ":" in target.host else f"{target.host}:{target.port}"
    headers = {b"Host": where.encode("ascii"), **_proxy_authorization(proxy)}
    await stream.send(request_head("CONNECT", where, headers))
    try:
        head, surplus = await receive_head(stream)
    except HttpError as error:
        raise ConnectError(f"the proxy: {error}") from error
    if not 200 <= head.status < 300:
        raise ConnectError(f"the proxy refused: {head.status} {head.reason}")
    if surplus:
        raise ConnectError("the proxy sent more than its answer to CONNECT")


def _proxy_authorization(proxy: str) -> dict[bytes, bytes]:
    credentials = urlsplit(proxy).netloc.rpartition("@")[0]
    if not credentials:
        return {}
    return {b"Proxy-Authorization": b"Basic " + b64encode(unquote_to_bytes(credentials))}
