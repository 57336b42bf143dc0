"""Upstream connections, kept open between requests."""

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable

from code_responses_api_proxy.errors import BusyError, ConnectTimeoutError, UnreachableError, UpstreamError
from code_responses_api_proxy.target import Target
from code_responses_api_proxy.upstream import Upstream

TYPE_CHECKING = False  # type checkers treat it as true
if TYPE_CHECKING:
    import ssl

MOST_IDLE = 128
IDLE_SECONDS = 55.0
"""Shorter than the minute after which many servers close idle connections."""
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}
_NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})


class Pool:
    """Opens connections to `target`, and keeps reusable ones."""

    def __init__(
        self,
        target: Target,
        scratch: memoryview,
        *,
        connect_seconds: float,
        tunnel: Callable[[], Awaitable[socket.socket]] | None = None,
    ) -> None:
        self.context: ssl.SSLContext | None = None
        """For TLS; set before the first connection."""
        self._target = target
        self._scratch = scratch
        self._connect_seconds = connect_seconds
        self._tunnel = tunnel
        self._idle: list[Upstream] = []

    def take(self) -> Upstream | None:
        """Return an open idle connection, or None; prefers the one used last, which is least likely to be closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                return connection
        return None

    def put(self, connection: Upstream, now: float) -> None:
        """Keep a connection whose response is complete; `now` is the loop's time."""
        connection.receiver = None
        connection.hold_response(False)
        connection.reused = True
        connection.idle_since = now
        # A response may arrive before the request's body is sent completely; the next head would end up inside it.
        if len(self._idle) < MOST_IDLE and connection.open and connection.flushed:
            self._idle.append(connection)
        else:
            connection.abort()

    def sweep(self, now: float) -> None:
        """Close connections that are broken or have been idle for long."""
        kept = []
        for connection in self._idle:
            if connection.open and now - connection.idle_since < IDLE_SECONDS:
                kept.append(connection)
            else:
                connection.abort()
        self._idle = kept

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            self._idle.pop().abort()

    async def connect(self) -> Upstream:
        """Open a new connection.

        Raises:
            UnreachableError: the name has no address, the connection was refused, or TLS failed.
            ConnectTimeoutError: no result in time.
            BusyError: this process is out of descriptors.
        """
        target = self._target
        try:
            async with asyncio.timeout(self._connect_seconds):
                return await self._open()
        except TimeoutError as error:
            raise ConnectTimeoutError(
                f"the upstream {target.authority} did not accept a connection within {self._connect_seconds:g} s"
            ) from error
        except OSError as error:
            raise _described(error, target) from error

    async def _open(self) -> Upstream:
        target = self._target
        where: dict[str, object] = {"host": target.host, "port": target.port}
        if self._tunnel is not None:
            where = {"sock": await self._tunnel()}
        if target.tls:
            where |= {"ssl": self.context, "server_hostname": target.host}
        create = asyncio.get_running_loop().create_connection
        transport, connection = await create(lambda: Upstream(self._scratch), **where)  # type: ignore[call-overload]  # assembled above
        connected: Upstream = connection
        _probe_peer(transport.get_extra_info("socket"))
        return connected


def _probe_peer(connected: socket.socket) -> None:
    """Have the kernel detect a dead upstream; a timeout could not, because a model may think for long."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _described(error: OSError, target: Target) -> UpstreamError:
    if error.errno in _NO_DESCRIPTOR:
        return BusyError("the proxy has no file descriptor left for a connection to the upstream")
    if isinstance(error, socket.gaierror):
        return UnreachableError(f"the upstream's name {target.host} has no address: {error.strerror}")
    if target.tls and type(error).__module__ == "ssl":
        detail = getattr(error, "verify_message", "") or getattr(error, "reason", "") or type(error).__name__
        return UnreachableError(f"no TLS connection to the upstream {target.authority}: {detail}")
    # asyncio's own errors contain the address, which is known, instead of the reason.
    reason = os.strerror(error.errno) if error.errno else error.strerror or error
    return UnreachableError(f"no connection to the upstream {target.authority}: {reason}")
