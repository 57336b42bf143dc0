"""A connection to the upstream."""

import asyncio
import os
from typing import Protocol, cast

from code_process_hardening import SecretBuffer


class Receiver(Protocol):
    """Receives data and events of an upstream connection."""

    def received(self, data: bytes) -> None:
        """Process bytes of the response."""

    def lost(self, error: Exception | None) -> None:
        """Handle the loss of the connection; without an error, the upstream closed it properly."""

    def hold_body(self, hold: bool) -> None:
        """Pause or resume sending."""


class Upstream(asyncio.BufferedProtocol):
    """A connection that carries one request at a time.

    All connections read into `scratch`: each read is consumed before the next one.
    """

    def __init__(self, scratch: memoryview) -> None:
        self.receiver: Receiver | None = None
        self.reused = False
        """Whether it has carried a response before."""
        self.idle_since = 0.0
        self.open = True
        self._scratch = scratch
        self._transport: asyncio.Transport
        self._tls = False

    @property
    def flushed(self) -> bool:
        """Whether the kernel has accepted everything written; only then may another request begin."""
        return self._transport.get_write_buffer_size() == 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._tls = transport.get_extra_info("ssl_object") is not None

    def send(self, head: SecretBuffer, rest: bytes) -> None:
        """Begin a request with `head`, which contains the key and is not copied.

        Raises:
            OSError: the connection is closed.
        """
        with head.view() as secret:
            if self._tls:
                # The view is encrypted before `write` returns, or stays referenced: it is read-only.
                self._transport.write(head.view())
                self._transport.write(rest)
                return
            # Bypasses the transport, which would copy what the kernel does not accept immediately. Nothing is queued
            # on a connection that begins a request, so the kernel accepts at least the head.
            sent = os.writev(self._transport.get_extra_info("socket").fileno(), [secret, rest])
            sent -= len(secret)
        if sent < 0:
            raise BlockingIOError("the connection did not accept the request's head")
        self.write(rest[sent:])

    def write(self, data: bytes) -> None:
        """Send more of the request's body."""
        if data:
            self._transport.write(data)

    def hold_response(self, hold: bool) -> None:
        """Pause or resume reading."""
        if not self.open or self._transport.is_closing():
            return
        if hold:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close the connection immediately."""
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
            self.abort()  # unsolicited data
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
