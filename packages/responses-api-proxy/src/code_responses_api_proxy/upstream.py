"""One connection to the upstream."""

import asyncio
import os
from typing import Protocol, cast

from code_process_hardening import SecretBuffer


class Receiver(Protocol):
    """Who takes what the upstream sends."""

    def received(self, data: bytes) -> None:
        """Bytes of the response."""

    def lost(self, error: Exception | None) -> None:
        """The connection is gone; without an error, the upstream closed it in order."""

    def hold_body(self, hold: bool) -> None:
        """Send no more for now, or go on."""


class Upstream(asyncio.BufferedProtocol):
    """A connection that carries one request at a time.

    `scratch` is where all connections read into: each read is used up before the next one.
    """

    def __init__(self, scratch: memoryview) -> None:
        self.receiver: Receiver | None = None
        self.reused = False
        """Whether a response came over it before."""
        self.idle_since = 0.0
        self.open = True
        self._scratch = scratch
        self._transport: asyncio.Transport
        self._tls = False

    @property
    def flushed(self) -> bool:
        """Whether the kernel took all that was written; only then may another request begin here."""
        return self._transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._tls = transport.get_extra_info("ssl_object") is not None

    def send(self, head: SecretBuffer, rest: bytes) -> None:
        """Begin a request with `head`, which holds the key, and is not copied.

        Raises:
            OSError: the connection is gone.
        """
        with head.view() as secret:
            if self._tls:
                # The view is encrypted before `write` returns, or stays referred to: it is read-only.
                self._transport.write(head.view())
                self._transport.write(rest)
                return
            # Around the transport, which would copy what the kernel does not take at once. Nothing is
            # queued on a connection that begins a request, so the kernel takes at least the head.
            sent = os.writev(self._transport.get_extra_info("socket").fileno(), [secret, rest])
            sent -= len(secret)
        if sent < 0:
            raise BlockingIOError("the connection did not take the request's head")
        self.write(rest[sent:])

    def write(self, data: bytes) -> None:
        """Send more of the request's body."""
        if data:
            self._transport.write(data)

    def hold_response(self, hold: bool) -> None:
        """Read no more for now, or go on."""
        if not self.open or self._transport.is_closing():
            return
        if hold:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection, whatever is under way."""
        self.receiver = None
        self.open = False
        self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Part of asyncio's protocol."""
        del sizehint
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Part of asyncio's protocol."""
        if self.receiver is None:
            self.abort()  # nobody asked
        else:
            self.receiver.received(bytes(self._scratch[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        self.open = False
        if self.receiver is not None:
            receiver, self.receiver = self.receiver, None
            receiver.lost(exc)

    def pause_writing(self) -> None:
        """Part of asyncio's protocol."""
        if self.receiver is not None:
            self.receiver.hold_body(True)

    def resume_writing(self) -> None:
        """Part of asyncio's protocol."""
        if self.receiver is not None:
            self.receiver.hold_body(False)
