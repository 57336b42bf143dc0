"""One request to the upstream, and its response."""

import asyncio
from typing import Protocol

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.dump import Recording
from code_responses_api_proxy.errors import InvalidResponseError, LostError, UpstreamError
from code_responses_api_proxy.framing import LAST_CHUNK, chunk
from code_responses_api_proxy.gate import Forward
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.redact import Redactor
from code_responses_api_proxy.response import ResponseRelay
from code_responses_api_proxy.upstream import Upstream

RESENDABLE_BYTES = 1024 * 1024
"""Size up to which a request is kept until the response begins, in case it must be sent again."""


class Client(Protocol):
    """The client's side of an exchange."""

    @property
    def full(self) -> bool:
        """Whether it accepts no more data for now; changes are reported to `Exchange.hold_response`."""

    def respond(self, data: bytes) -> None:
        """Send bytes of the response."""

    def finish(self, *, keep_alive: bool) -> None:
        """Complete the response."""

    def fail(self, error: UpstreamError) -> None:
        """Send an error instead of a response."""

    def truncate(self) -> None:
        """End the response early, in a way that the client notices."""

    def hold_request(self, hold: bool) -> None:
        """Pause or resume sending the request."""


class Exchange:
    """Sends the request as it arrives, and returns the response as it arrives."""

    def __init__(
        self,
        forward: Forward,
        client: Client,
        pool: Pool,
        head: SecretBuffer,
        redactor: Redactor,
        recording: Recording | None,
    ) -> None:
        self._client = client
        self._pool = pool
        self._head = head
        self._recording = recording
        if forward.length is None:
            framing = b"Transfer-Encoding: chunked\r\n\r\n"
        else:
            framing = b"Content-Length: %d\r\n\r\n" % forward.length
        self._chunked = forward.length is None
        # Everything to send after the head; None once the request can no longer be sent again.
        self._sent: list[bytes] | None = [forward.fields + framing]
        self._sent_bytes = 0
        self._complete = False
        self._answered = False
        self._connection: Upstream | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._relay = ResponseRelay(
            old_client=forward.old,
            keep_alive=forward.keep_alive,
            redactor=redactor,
            observe_head=recording.response_head if recording else None,
            observe_body=recording.response_body if recording else None,
        )

    @property
    def begun(self) -> bool:
        """Whether the client has received a part of the response."""
        return self._relay.started

    def add(self, payload: bytes, *, done: bool) -> None:
        """Add a piece of the request's body, before or after `start`."""
        if self._recording and payload:
            self._recording.request_body(payload)
        data = chunk(payload) if self._chunked and payload else payload
        if done:
            self._complete = True
            if self._chunked:
                data += LAST_CHUNK
        if not data:
            return
        if self._sent is not None:
            self._sent.append(data)
            self._sent_bytes += len(data)
        if self._connection is not None:
            if self._sent_bytes > RESENDABLE_BYTES:
                self._sent = None
            self._connection.write(data)

    def start(self) -> None:
        """Send the request over an idle connection, or else over a new one."""
        connection = self._pool.take()
        if connection is None:
            self._connect()
        else:
            self._attach(connection)

    def close_after(self) -> None:
        """Close the client's connection after this response, if it is not too late to announce that."""
        self._relay.keep_alive = self._relay.keep_alive and self._relay.started

    def cancel(self) -> None:
        """Stop the upstream immediately, because the client is gone or sent invalid data."""
        if self._connecting is not None:
            self._connecting.cancel()
        self._drop()
        self._record()

    def hold_response(self, hold: bool) -> None:
        """Pause or resume the response, as the client requires."""
        if self._connection is not None:
            self._connection.hold_response(hold)

    def hold_body(self, hold: bool) -> None:
        """Pause or resume the request body, as the upstream requires."""
        self._client.hold_request(hold)

    def received(self, data: bytes) -> None:
        """Process bytes of the response."""
        self._answered = True
        self._sent = None
        try:
            out = self._relay.feed(data)
        except InvalidResponseError as error:
            self._fail(error)
            return
        if out:
            self._client.respond(out)
        if self._relay.done:
            self._finish()

    def lost(self, error: Exception | None) -> None:
        """Handle the loss of the upstream's connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.reused and not self._answered and self._sent is not None:
            # It was closed while idle, just as the request was sent, so the upstream has not processed any of it.
            self._connect()
            return
        try:
            out = self._relay.end(clean=error is None)
        except LostError as lost:
            self._fail(lost)
            return
        if out:
            self._client.respond(out)
        self._finish()

    def _connect(self) -> None:
        self._client.hold_request(True)
        self._connecting = asyncio.get_running_loop().create_task(self._connect_and_attach())

    async def _connect_and_attach(self) -> None:
        try:
            connection = await self._pool.connect()
        except UpstreamError as error:
            self._connecting = None
            self._fail(error)
        else:
            self._connecting = None
            self._attach(connection)

    def _attach(self, connection: Upstream) -> None:
        self._connection = connection
        self._client.hold_request(False)
        connection.receiver = self
        connection.hold_response(self._client.full)
        try:
            connection.send(self._head, b"".join(self._sent or ()))
        except OSError as error:
            connection.abort()
            self.lost(error)
            return
        if not connection.reused:
            self._sent = None  # only an idle connection can have been closed in advance

    def _finish(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._relay.reusable and self._complete:
                self._pool.put(connection, asyncio.get_running_loop().time())
            else:
                connection.abort()
        self._record()
        self._client.finish(keep_alive=self._relay.keep_alive)

    def _fail(self, error: UpstreamError) -> None:
        self._drop()
        if self._recording:
            self._recording.failure = str(error)
        self._record()
        if self._relay.started:
            self._client.truncate()
        else:
            self._client.fail(error)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def _record(self) -> None:
        if self._recording is not None:
            recording, self._recording = self._recording, None
            recording.save()
