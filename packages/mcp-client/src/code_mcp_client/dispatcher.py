"""The SDK's dispatcher interface over a stdio server: sends requests and receives answers.

It replaces both the SDK's transport and its JSON-RPC layer, because most of the time of a small
call is spent between the two, and that of a large answer in both. The interface is
`mcp.shared.dispatcher.Dispatcher`, provisional in mcp 2.x; the tests of this package check the
parts used here.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import anyio.abc
from anyio.abc import TaskGroup
from mcp.shared.dispatcher import (
    CallOptions,
    OnNotify,
    OnNotifyIntercept,
    OnRequest,
    ProgressFnT,
    coerce_request_id,
    run_notify_intercept,
)
from mcp.shared.exceptions import MCPError

from code_mcp_client.channel import Channel, ErrorFactory
from code_mcp_client.errors import (
    ClientClosed,
    ConnectionLost,
    MalformedMessage,
    McpClientError,
    MessageTooLarge,
    NoisyServer,
    RequestTimedOut,
)
from code_mcp_client.framing import Line, LineBuffer, OversizeLine
from code_mcp_client.inbound import NotificationQueue, ServerRequests, report_progress
from code_mcp_client.messages import (
    Failure,
    Lost,
    Message,
    Noise,
    Notification,
    Request,
    RequestId,
    Response,
    decode_line,
    encode_notification,
    encode_request,
    lost_line,
)
from code_mcp_client.noise import NoiseCounter

_BROKEN_PIPE_SECONDS = 0.05
_MOST_UNFINISHED = 2**30
"""Length after which an unfinished line counts as endless output instead of a message."""

logger = logging.getLogger("code_mcp_client")


@dataclass(slots=True, eq=False)
class _Pending:
    """A pending request; `answer` is a result or an error factory.

    It uses a future and a timer of the event loop, which makes small calls a quarter faster than an event in
    a cancel scope. The future has no result, because the loop keeps a reference to it for a while.
    """

    method: str
    on_progress: ProgressFnT | None
    done: "asyncio.Future[None]"
    answer: dict[str, Any] | ErrorFactory | None = None

    def settle(self, answer: dict[str, Any] | ErrorFactory) -> None:
        """Set the answer, unless it is already set."""
        if not self.done.done():
            self.answer = answer
            self.done.set_result(None)


class StdioDispatcher:
    """JSON-RPC over a channel, for the SDK's `ClientSession(dispatcher=…)`.

    Args:
        channel: the server.
        max_message_bytes: a longer line fails the request it answers.
    """

    def __init__(self, channel: Channel, max_message_bytes: int) -> None:
        self._channel = channel
        self._writer = channel.writer
        self._limit = max_message_bytes
        self._lines = LineBuffer(max_message_bytes)
        self._noise = NoiseCounter(channel.name)
        self._pending: dict[RequestId, _Pending] = {}
        self._last_id = 0
        self._ended: ErrorFactory | None = lambda: ClientClosed("the MCP client is not open")
        self._has_ended = anyio.Event()
        self._requests = ServerRequests(self, self._writer)
        self._notifications = NotificationQueue(self)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Send a request and return the `result` of its answer; `opts["timeout"]` includes the time for writing.

        Raises:
            MCPError: the server answered with an error.
            RequestTimedOut: no answer in time; as on cancellation, `notifications/cancelled` is sent.
            ConnectionLost: the server is gone.
            UnusableAnswer: the answer was too large or malformed.
        """
        opts = opts or {}
        if self._ended is not None:
            raise self._ended()
        request_id = self._claim_id(opts.get("request_id"))
        on_progress = opts.get("on_progress")
        if on_progress is not None:
            params = {**(params or {})}
            params["_meta"] = {**(params.get("_meta") or {}), "progressToken": request_id}
        line = encode_request(request_id, method, params)
        loop = asyncio.get_running_loop()
        pending = _Pending(method, on_progress, loop.create_future())
        key = coerce_request_id(request_id)
        self._pending[key] = pending
        timeout = opts.get("timeout")
        late = partial(RequestTimedOut, f"{method}: the MCP server did not answer within {timeout} s")
        timer = None if timeout is None else loop.call_later(timeout, pending.settle, late)
        try:
            if self._writer.has_room:
                await self._write(line)
            else:
                await self._write_in_time(line, pending)
            await pending.done
        except anyio.get_cancelled_exc_class():
            self._abandon(request_id, opts, "the caller gave up")
            raise
        finally:
            if timer is not None:
                timer.cancel()
            del self._pending[key]
        match pending.answer:
            case dict(result):
                return result
            case None:
                raise AssertionError("a request is done without an answer")  # pragma: no cover
            case make_error:
                if make_error is late:
                    self._abandon(request_id, opts, f"no answer within {timeout} s")
                raise make_error()

    async def notify(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        opts: CallOptions | None = None,  # noqa: ARG002 - part of the interface; no option applies to stdio
    ) -> None:
        """Send a notification; as the interface requires, it is dropped if the server is gone."""
        if self._ended is not None:
            logger.debug("notification %r dropped: the connection has ended", method)
            return
        try:
            await self._writer.send(encode_notification(method, params))
        except BrokenPipeError:
            logger.debug("notification %r dropped: the server stopped reading", method)

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Read until the server's output ends or the caller cancels, then fail every pending request."""
        self._on_request = on_request
        self._intercept = on_notify_intercept
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._notifications.deliver_forever, on_notify)
                self._ended = None
                task_status.started()
                try:
                    await self._channel.pump(partial(self._feed, tasks))
                    if (rest := self._lines.finish()) is not None:
                        self._take(rest, tasks)
                except NoisyServer as flood:
                    logger.warning("%s", flood)
                    self._end(partial(NoisyServer, flood.server, flood.excerpt))
                else:
                    self._end(await self._channel.why_ended())
                tasks.cancel_scope.cancel()
        finally:
            self._end(lambda: ClientClosed("the MCP client was closed"))

    def _feed(self, tasks: TaskGroup, chunk: bytes) -> None:
        lines = self._lines.feed(chunk)
        while lines:
            self._take(lines.popleft(), tasks)
        if self._lines.unfinished > max(_MOST_UNFINISHED, 2 * self._limit):
            raise NoisyServer(self._channel.name, "a line without an end")

    def _take(self, line: Line, tasks: TaskGroup) -> None:
        if isinstance(line, OversizeLine):
            why = f"it has {line.size:,} bytes, max_message_bytes is {self._limit:,}"
            self._handle(lost_line(line.head, line.tail, why), tasks, MessageTooLarge)
            return
        messages = decode_line(line)
        size = len(line)
        del line  # frees a large line before its answer is used
        if not messages:
            self._noise.count(size, "")
        while messages:
            self._handle(messages.pop(0), tasks, size=size)

    def _handle(
        self,
        message: Message,
        tasks: TaskGroup,
        error_type: type[McpClientError] = MalformedMessage,
        size: int = 0,
    ) -> None:
        match message:
            case Response(request_id, result):
                self._settle(request_id, result)
            case Failure(None, code, text, _):
                logger.warning("the server could not read a message of ours: %s (%d)", text, code)
                if len(self._pending) == 1:  # then it is clear which request is meant
                    self._settle(next(iter(self._pending)), lambda: MCPError(code, text))
            case Failure(int() | str() as request_id, code, text, data):
                self._settle(request_id, lambda: MCPError(code, text, data))
            case Lost(request_id, why):
                self._noise.count(0, why)
                self._lose(request_id, lambda: error_type(f"cannot use the MCP server's answer: {why}"))
            case Request():
                self._requests.accept(message, self._on_request, tasks)
            case Notification():
                self._notice(message, tasks)
            case Noise(excerpt):
                self._noise.count(size, excerpt)

    def _notice(self, notification: Notification, tasks: TaskGroup) -> None:
        match notification:
            case Notification("notifications/cancelled", {"requestId": (int() | str()) as request_id}):
                self._requests.cancel(request_id)
            case Notification(
                "notifications/progress", {"progressToken": (int() | str()) as token} as params
            ):
                pending = self._pending.get(coerce_request_id(token))
                if pending is not None and pending.on_progress is not None:
                    tasks.start_soon(report_progress, pending.on_progress, params)
        if not run_notify_intercept(self._intercept, notification.method, notification.params):
            self._notifications.put(notification)

    def _settle(self, request_id: RequestId, answer: dict[str, Any] | ErrorFactory) -> None:
        pending = self._pending.get(coerce_request_id(request_id))
        if pending is None or pending.done.done():
            self._noise.count(0, f"an answer to request {request_id!r}, which is not pending")
            return
        pending.settle(answer)

    def _lose(self, request_id: RequestId | None, make_error: ErrorFactory) -> None:
        """Fail the request whose answer is lost; if it is unknown, fail all of them rather than let one hang."""
        if self._pending:
            logger.warning("%s", make_error())
        for each in list(self._pending) if request_id is None else [request_id]:
            self._settle(each, make_error)

    def _claim_id(self, wanted: RequestId | None) -> RequestId:
        if wanted is not None:
            if coerce_request_id(wanted) in self._pending:
                raise ValueError(f"request id {wanted!r} is already in flight")
            return wanted
        self._last_id += 1
        while self._last_id in self._pending:
            self._last_id += 1
        return self._last_id

    async def _write_in_time(self, line: bytes, pending: _Pending) -> None:
        """Write when there is room, or stop waiting when the request has an answer or has timed out."""
        with anyio.CancelScope() as scope:
            pending.done.add_done_callback(lambda _: scope.cancel())
            await self._write(line)

    async def _write(self, line: bytes) -> None:
        try:
            await self._writer.send(line)
        except BrokenPipeError:
            # The server closed its stdin, usually by exiting, and then its exit status says more than we can.
            with anyio.move_on_after(_BROKEN_PIPE_SECONDS):
                await self._has_ended.wait()
            raise (
                self._ended() if self._ended else ConnectionLost("the MCP server closed its stdin")
            ) from None

    def _abandon(self, request_id: RequestId, opts: CallOptions, reason: str) -> None:
        if self._ended is None and opts.get("cancel_on_abandon", True):
            try:
                self._writer.send_nowait(
                    encode_notification(
                        "notifications/cancelled", {"requestId": request_id, "reason": reason}
                    )
                )
            except BrokenPipeError:
                logger.debug(
                    "the server stopped reading, so the cancellation of request %r was not sent", request_id
                )

    def _end(self, make_error: ErrorFactory) -> None:
        if not self._has_ended.is_set():
            self._ended = make_error
            self._has_ended.set()
            for pending in self._pending.values():
                pending.settle(make_error)
