"""One request on its way to the upstream and its response on the way back."""

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
"""A request up to this size is kept until the response begins, to be sent again if it must be."""


class Client(Protocol):
    """Who asked."""

    @property
    def full(self) -> bool:
        """Whether it takes no more for now; `Exchange.hold_response` tells of changes."""

    def respond(self, data: bytes) -> None:
        """Bytes of the response."""

    def finish(self, *, keep_alive: bool) -> None:
        """The response is complete."""

    def fail(self, error: UpstreamError) -> None:
        """There is no response."""

    def truncate(self) -> None:
        """The response ends early: the client must not take it for whole."""

    def hold_request(self, hold: bool) -> None:
        """Send no more of the request for now, or go on."""


class Exchange:
    """Sends the request as it comes in, and the response as it comes back."""

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
        # Everything to send after the head; None once it can no longer be sent again.
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
        """Whether the client got a part of the response."""
        return self._relay.started

    def add(self, payload: bytes, *, done: bool) -> None:
        """More of the request's body; before `start` or after it."""
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
        """Send the request over an idle connection, else over a new one."""
        connection = self._pool.take()
        if connection is None:
            self._connect()
        else:
            self._attach(connection)

    def close_after(self) -> None:
        """Let the client's connection end with this response, if that is not too late to say."""
        self._relay.keep_alive = self._relay.keep_alive and self._relay.started

    def cancel(self) -> None:
        """The client is gone, or sent nonsense: the upstream shall stop at once."""
        if self._connecting is not None:
            self._connecting.cancel()
        self._drop()
        self._record()

    def hold_response(self, hold: bool) -> None:
        """The client takes no more for now, or again."""
        if self._connection is not None:
            self._connection.hold_response(hold)

    def hold_body(self, hold: bool) -> None:
        """The upstream takes no more for now, or again."""
        self._client.hold_request(hold)

    def received(self, data: bytes) -> None:
        """Bytes of the response."""
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
        """The upstream's connection is gone."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.reused and not self._answered and self._sent is not None:
            # It was closed while idle, and the request crossed with the news: none of it was acted on.
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
            self._sent = None  # only a connection that was idle can have been closed before

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
