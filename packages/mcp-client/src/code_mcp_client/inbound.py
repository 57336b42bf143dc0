"""Handles the server's own messages: requests, which are always answered, and notifications in order."""

import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from mcp.shared.dispatcher import CallOptions, OnNotify, OnRequest, Outbound, ProgressFnT, coerce_request_id
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.transport_context import TransportContext
from mcp_types import INTERNAL_ERROR, ErrorData

from code_mcp_client.channel import LineWriter
from code_mcp_client.messages import Notification, Request, RequestId, encode_failure, encode_response

_MOST_REQUESTS = 64
_MOST_NOTIFICATIONS = 1_000
_HANDLED_IN_A_ROW = 16
_TRANSPORT = TransportContext(kind="stdio", can_send_request=True)

logger = logging.getLogger("code_mcp_client")


@dataclass(slots=True)
class InboundContext:
    """The message that a handler processes, and its connection to the server."""

    outbound: Outbound
    request_id: RequestId | None = None
    progress_token: RequestId | None = None
    transport: TransportContext = _TRANSPORT
    message_metadata: None = None
    cancel_requested: anyio.Event = field(default_factory=anyio.Event)
    can_send_request: bool = True

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Send a request to the server."""
        return await self.outbound.send_raw_request(method, params, opts)

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification to the server."""
        await self.outbound.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Report progress on the server's request, if it asked for it."""
        if self.progress_token is not None:
            report = {
                "progressToken": self.progress_token,
                "progress": progress,
                "total": total,
                "message": message,
            }
            await self.notify(
                "notifications/progress", {key: value for key, value in report.items() if value is not None}
            )


class ServerRequests:
    """Answers the server's requests, each in its own task, at most 64 at a time."""

    def __init__(self, outbound: Outbound, writer: LineWriter) -> None:
        self._outbound = outbound
        self._writer = writer
        self._dropped = 0
        self._running: dict[RequestId, tuple[anyio.CancelScope, InboundContext]] = {}

    def accept(self, request: Request, handler: OnRequest, tasks: TaskGroup) -> None:
        """Start answering a request, or refuse it if too many are pending."""
        key = coerce_request_id(request.id)
        if len(self._running) >= _MOST_REQUESTS or key in self._running:
            why = (
                "request id in use"
                if key in self._running
                else f"{_MOST_REQUESTS} requests are being answered"
            )
            self._refuse(encode_failure(request.id, INTERNAL_ERROR, f"client is busy: {why}"))
            return
        context = InboundContext(self._outbound, request.id, _progress_token(request.params))
        scope = anyio.CancelScope()
        self._running[key] = (scope, context)
        tasks.start_soon(self._answer, request, handler, scope, context)

    def _refuse(self, line: bytes) -> None:
        """Send a refusal, unless the server floods with requests and does not read answers."""
        if not self._writer.has_room:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, …, to avoid flooding the log
                logger.warning(
                    "the server sends many requests and does not read the answers: %d not sent", self._dropped
                )
            return
        try:
            self._writer.send_nowait(line)
        except BrokenPipeError:
            logger.debug("a refusal was dropped: the server stopped reading")

    def cancel(self, request_id: RequestId) -> None:
        """Cancel answering a request."""
        if running := self._running.get(coerce_request_id(request_id)):
            scope, context = running
            context.cancel_requested.set()
            scope.cancel()

    async def _answer(
        self, request: Request, handler: OnRequest, scope: anyio.CancelScope, context: InboundContext
    ) -> None:
        try:
            with scope:
                try:
                    line = encode_response(request.id, await handler(context, request.method, request.params))
                except Exception as error:  # noqa: BLE001 - a handler's failure is reported to the server and logged
                    line = _refusal(request, error)
                finally:
                    context.can_send_request = False
                await self._send(line)
        finally:  # only now, so that a server that does not read answers cannot pile them up
            self._running.pop(coerce_request_id(request.id), None)

    async def _send(self, line: bytes) -> None:
        try:
            await self._writer.send(line)
        except BrokenPipeError:
            logger.debug("an answer to the server was dropped: it stopped reading")


class NotificationQueue:
    """Passes notifications to a handler one after another, in wire order, without blocking the reader.

    At most 1,000 are queued; beyond that, the oldest is dropped and logged.
    """

    def __init__(self, outbound: Outbound) -> None:
        self._context = InboundContext(outbound)
        self._waiting: deque[Notification] = deque()
        self._came = anyio.Event()
        self._dropped = 0
        self._handled = 0

    def put(self, notification: Notification) -> None:
        """Queue a notification."""
        if len(self._waiting) >= _MOST_NOTIFICATIONS:
            self._waiting.popleft()
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, …, to avoid flooding the log
                logger.warning("notifications come faster than they are handled: %d dropped", self._dropped)
        self._waiting.append(notification)
        self._came.set()

    async def deliver_forever(self, handler: OnNotify) -> None:
        """Call the handler for each notification."""
        while True:
            await self._came.wait()
            while self._waiting:
                notification = self._waiting.popleft()
                self._handled += 1
                if self._handled % _HANDLED_IN_A_ROW == 0:
                    await anyio.lowlevel.checkpoint()
                try:
                    await handler(self._context, notification.method, notification.params)
                except Exception:
                    logger.exception("the handler of notification %r failed", notification.method)
            self._came = anyio.Event()


async def report_progress(callback: ProgressFnT, params: Mapping[str, Any] | None) -> None:
    """Pass a progress notification to a request's callback, if it contains a number."""
    match params:
        case {"progress": (int() | float()) as progress, **rest}:
            total, message = rest.get("total"), rest.get("message")
            try:
                await callback(
                    progress,
                    total if isinstance(total, int | float) else None,
                    message if isinstance(message, str) else None,
                )
            except Exception:
                logger.exception("a progress callback failed")
        case _:
            logger.warning("a progress notification without a number was ignored")


def _progress_token(params: Mapping[str, Any] | None) -> RequestId | None:
    match params:
        case {"_meta": {"progressToken": (int() | str()) as token}}:
            return token
        case _:
            return None


def _refusal(request: Request, error: Exception) -> bytes:
    data = handler_exception_to_error_data(error)
    if data is None:
        logger.error("answering the server's request %r failed", request.method, exc_info=error)
        data = ErrorData(code=INTERNAL_ERROR, message=f"the client could not answer: {type(error).__name__}")
    return encode_failure(request.id, data.code, data.message, data.data)
