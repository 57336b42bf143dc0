"""A client's connection."""

import asyncio
import math
import socket
import struct
from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol, cast

from code_responses_api_proxy.answers import CONTINUE, answer, busy, failure, refusal
from code_responses_api_proxy.errors import RefusedError, UpstreamError
from code_responses_api_proxy.exchange import Exchange
from code_responses_api_proxy.fields import HEAD_LIMIT
from code_responses_api_proxy.framing import (
    Body,
    BodyTooLargeError,
    ChunkedBody,
    LengthBody,
    MalformedBodyError,
)
from code_responses_api_proxy.gate import Forward, Policy, Shutdown, head_end, judge

HEAD_SECONDS = 10.0
"""Time limit for a request's head, from its first byte."""
IDLE_SECONDS = 75.0
"""Time limit between requests, and between two pieces of a body."""
STALL_SECONDS = 300.0
"""Time limit for an upstream that stops reading a body, during which a client's exit would go unnoticed."""
LINGER_SECONDS = 2.0
"""Time for reading what a refused client still sends, because closing immediately would discard the answer."""


class Admission(Enum):
    """The decision about a new connection."""

    ADMITTED = auto()
    TURNED_AWAY = auto()
    """There are too many connections: answer with a refusal."""
    DROPPED = auto()
    """There are too many even of those being refused."""


class Host(Protocol):
    """The proxy's interface for its connections."""

    policy: Policy
    draining: bool
    scratch: memoryview

    def admit(self, connection: "Downstream") -> Admission:
        """Register a new connection and decide whether to serve it."""

    def forget(self, connection: "Downstream") -> None:
        """Unregister a closed connection."""

    def exchange(self, forward: Forward, head: bytes, client: "Downstream") -> Exchange:
        """Create the exchange for one request."""

    def shut_down(self) -> None:
        """Start shutting down the proxy."""


class Downstream(asyncio.BufferedProtocol):
    """Takes requests one after another, and writes their responses.

    A client that closes its side counts as gone, because the kernel reports the same for one that was killed.
    """

    def __init__(self, host: Host, clock: Callable[[], float]) -> None:
        self.deadline = math.inf
        """When the current time limit expires, in the loop's time."""
        self.full = False
        self._host = host
        self._scratch = host.scratch
        self._clock = clock
        self._transport: asyncio.Transport
        self._pending = b""
        self._searched = 0
        self._body: Body | None = None
        self._exchange: Exchange | None = None
        self._old = False
        self._upstream_full = False
        self._pipeline_full = False
        self._reading = True
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio's protocol."""
        self._transport = cast("asyncio.Transport", transport)
        match self._host.admit(self):
            case Admission.ADMITTED:
                self.deadline = self._clock() + IDLE_SECONDS
            case Admission.TURNED_AWAY:
                self._leave_with(busy())
            case Admission.DROPPED:
                self._transport.abort()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Part of asyncio's protocol."""
        del sizehint
        return self._scratch

    def buffer_updated(self, nbytes: int) -> None:
        """Part of asyncio's protocol."""
        if self._lingering:
            return
        data = bytes(self._scratch[:nbytes])
        if self._pending:
            data, self._pending = self._pending + data, b""
        self._advance(data)

    def eof_received(self) -> bool | None:
        """Part of asyncio's protocol; the transport closes itself."""
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio's protocol."""
        del exc
        self._abandon()
        self._host.forget(self)

    def pause_writing(self) -> None:
        """Part of asyncio's protocol."""
        self.full = True
        if self._exchange is not None:
            self._exchange.hold_response(True)

    def resume_writing(self) -> None:
        """Part of asyncio's protocol."""
        self.full = False
        if self._exchange is not None:
            self._exchange.hold_response(False)

    def respond(self, data: bytes) -> None:
        """Send bytes of the response."""
        self._transport.write(data)

    def finish(self, *, keep_alive: bool) -> None:
        """Complete the response."""
        self._exchange = None
        if self._body is not None:
            self._linger()
        elif keep_alive and not self._host.draining:
            self._next()
        else:
            self._transport.close()

    def fail(self, error: UpstreamError) -> None:
        """Send an error instead of a response."""
        whole = self._body is None and not self._old and not self._host.draining
        self.respond(failure(error, keep_alive=whole))
        self.finish(keep_alive=whole)

    def truncate(self) -> None:
        """End the response early, in a way that the client notices."""
        self._exchange = None
        if self._old:
            # Without chunks, only a reset distinguishes an early end.
            connected: socket.socket = self._transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.close()

    def hold_request(self, hold: bool) -> None:
        """Pause or resume reading the request, as the upstream requires."""
        # Once the whole request has arrived, reading continues, in order to notice a client that leaves.
        self._upstream_full = hold and self._body is not None
        self._read_or_wait()
        if self._body is not None:
            self.deadline = self._clock() + (STALL_SECONDS if hold else IDLE_SECONDS)

    def expire(self) -> None:
        """Handle an expired time limit."""
        if self._lingering or (self._body is None and not self._pending):
            self._transport.abort()
        elif self._upstream_full:
            self._refuse(RefusedError(504, "the upstream stopped reading the request"))
        else:
            self._refuse(RefusedError(408, "the request did not arrive in time"))

    def close_when_done(self) -> None:
        """Accept no further request."""
        if self._exchange is not None:
            self._exchange.close_after()
        else:
            self._transport.close()

    def abort(self) -> None:
        """Close the connection immediately."""
        self._transport.abort()

    def _next(self) -> None:
        self.deadline = self._clock() + IDLE_SECONDS
        self._pipeline_full = False
        self._read_or_wait()
        data, self._pending = self._pending, b""
        if data:
            self._advance(data)

    def _advance(self, data: bytes) -> None:
        try:
            if self._body is not None and self._exchange is not None:
                data = self._take_body(self._body, self._exchange, data)
            elif self._exchange is None:
                data = self._take_head(data)
        except RefusedError as error:
            self._refuse(error)
            return
        # The rest waits for its turn. Reading continues, in order to notice a client that leaves.
        self._pending = data
        if len(data) >= HEAD_LIMIT and self._exchange is not None:
            self._pipeline_full = True
            self._read_or_wait()

    def _take_head(self, data: bytes) -> bytes:
        if not self._searched:
            # One empty line before a request is tolerated (RFC 9112 §2.2).
            data = data.removeprefix(b"\r\n")
        end = head_end(data, self._searched)
        if not end:
            if not self._searched and data:
                self.deadline = self._clock() + HEAD_SECONDS
            self._searched = len(data)
            return data
        self._searched = 0
        head = data[:end]
        match judge(head, self._host.policy):
            case Shutdown():
                self._leave_with(answer(200))
                self._host.shut_down()
                return b""
            case Forward() as forward:
                return self._begin(forward, head, data[end:])

    def _begin(self, forward: Forward, head: bytes, data: bytes) -> bytes:
        self._old = forward.old
        self.deadline = math.inf
        limit = self._host.policy.max_body
        self._body = ChunkedBody(limit) if forward.length is None else LengthBody(forward.length)
        exchange = self._host.exchange(forward, head, self)
        payload, data = self._decoded(self._body, data)
        self._exchange = exchange
        done = self._body.done
        exchange.add(payload, done=done)
        if done:
            self._body = None
        elif forward.expects_continue and not payload:
            self.respond(CONTINUE)
        exchange.start()
        return data

    def _take_body(self, body: Body, exchange: Exchange, data: bytes) -> bytes:
        payload, data = self._decoded(body, data)
        if body.done:
            self._body = None
            self.deadline = math.inf
        elif not self._upstream_full:
            self.deadline = self._clock() + IDLE_SECONDS
        exchange.add(payload, done=body.done)
        return data

    def _decoded(self, body: Body, data: bytes) -> tuple[bytes, bytes]:
        try:
            return body.feed(data)
        except MalformedBodyError as error:
            raise RefusedError(400, f"the request's body is malformed: {error}") from error
        except BodyTooLargeError as error:
            raise RefusedError(
                413, f"the request's body is larger than {self._host.policy.max_body} bytes"
            ) from error

    def _refuse(self, error: RefusedError) -> None:
        begun = self._exchange is not None and self._exchange.begun
        self._abandon()
        self._body = None
        if begun:
            self.truncate()
        else:
            self._leave_with(refusal(error))

    def _leave_with(self, response: bytes) -> None:
        self.respond(response)
        self._linger()

    def _linger(self) -> None:
        self._lingering = True
        self._pending = b""
        self._body = None
        self._upstream_full = self._pipeline_full = False
        self._read_or_wait()
        self.deadline = self._clock() + LINGER_SECONDS
        if not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # the client is already gone
                self._transport.abort()

    def _abandon(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.cancel()

    def _read_or_wait(self) -> None:
        reading = not (self._upstream_full or self._pipeline_full)
        if reading is self._reading or self._transport.is_closing():
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()
