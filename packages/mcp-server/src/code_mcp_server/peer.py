"""One client over lines: answers each of its requests once, and sends it our questions.

This is our own JSON-RPC over stdio, because the SDK's takes most of a second to import, drops the extra
fields of questions, and leaves some malformed messages unanswered.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from code_mcp_client.channel import LineWriter
from code_mcp_client.framing import Line
from code_mcp_server.jsonrpc import (
    Code,
    Malformed,
    Message,
    Notification,
    Request,
    RequestId,
    Response,
    RpcError,
    encode,
    messages,
)
from code_mcp_server.stdio import LONGEST_LINE

MOST_RUNNING = 1_024
"""Limit on concurrent requests; reading pauses until one of them ends."""
LAST_ANSWERS_SECONDS = 30.0
"""Time for unfinished requests other than turns after the client has closed its end; a busy machine loads the engine slowly."""

_log = logging.getLogger("code_core")


class Handler(Protocol):
    """Answers a client's messages."""

    def accept(self, request: Request) -> None:
        """Check a request before any later message is read.

        Raises:
            RpcError: the request is not acceptable.
        """

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """Return the result of a request. Cancelled when the client cancels it.

        Raises:
            RpcError: sent as the answer.
        """

    async def notice(self, notification: Notification) -> None:
        """Process a notification."""

    def is_brief(self, request: Request) -> bool:
        """Whether a client that has closed its end may still wait for the answer."""


class Peer:
    """Exchanges JSON-RPC messages with a client.

    Args:
        writer: writes lines to the client.
    """

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._running: dict[RequestId, tuple[Request, anyio.CancelScope]] = {}
        self._ended = anyio.Event()
        self._questions: dict[RequestId, tuple[anyio.Event, list[Response]]] = {}
        self._last_question = 0

    async def serve(self, lines: AsyncIterator[Line], handler: Handler) -> None:
        """Answer messages until the lines end or the client stops reading, then cancel what still runs."""
        try:
            async with anyio.create_task_group() as tasks:
                async for line in lines:
                    for message in messages(line, LONGEST_LINE, batches=True):
                        await self._take(message, handler, tasks)
                await self._finish(handler)
                tasks.cancel_scope.cancel()
        except* BrokenPipeError:
            _log.info("the client no longer reads")

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification; waits while much is queued."""
        await self._send(Notification(method, dict(params)))

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result object of a request to the client, or None for any other answer. Cancelling withdraws it."""
        self._last_question += 1
        request_id, answered = self._last_question, anyio.Event()
        answers: list[Response] = []
        self._questions[request_id] = answered, answers
        try:
            await self._send(Request(request_id, method, dict(params)))
            await answered.wait()
        except anyio.get_cancelled_exc_class():
            withdrawn = {"requestId": request_id, "reason": "the question has expired"}
            self._send_nowait(Notification("notifications/cancelled", withdrawn))
            raise
        finally:
            del self._questions[request_id]
        result = answers[0].result
        return result if isinstance(result, dict) else None

    async def _take(self, message: Message, handler: Handler, tasks: TaskGroup) -> None:
        match message:
            case Request(id=None):
                await self._fail(None, RpcError(Code.INVALID_REQUEST, "the id must not be null"))
            case Request():
                await self._begin(message, handler, tasks)
            case Notification("notifications/cancelled", params):
                self._cancel(params.get("requestId"))
            case Notification():
                await handler.notice(message)
            case Response():
                if not self._answered(message):
                    _log.info("an answer to the unknown request %r", message.id)
            case Malformed(id=request_id, error=error, is_answer=is_answer):
                if not is_answer or not self._answered(Response(request_id, error=error)):
                    await self._fail(request_id, error)

    def _answered(self, response: Response) -> bool:
        """Pass an answer to the task that waits for it, and return whether one did."""
        if isinstance(response.id, bool) or response.id not in self._questions:
            return False
        answered, answers = self._questions[response.id]
        answers.append(response)
        answered.set()
        return True

    async def _begin(self, request: Request, handler: Handler, tasks: TaskGroup) -> None:
        if request.id in self._running:
            in_use = RpcError(Code.INVALID_REQUEST, f"request id {request.id!r} is in use")
            await self._fail(request.id, in_use)
            return
        try:
            handler.accept(request)
        except RpcError as error:
            await self._fail(request.id, error)
            return
        while len(self._running) >= MOST_RUNNING:
            self._ended = anyio.Event()
            await self._ended.wait()
        scope = anyio.CancelScope()
        self._running[request.id] = request, scope
        tasks.start_soon(self._answer, request, scope, handler)

    def _cancel(self, request_id: object) -> None:
        if isinstance(request_id, int | str) and request_id in self._running:
            self._running[request_id][1].cancel()

    async def _answer(self, request: Request, scope: anyio.CancelScope, handler: Handler) -> None:
        message: Response | None = None
        try:
            with scope:
                try:
                    message = Response(request.id, await handler.answer(request))
                except RpcError as error:
                    message = Response(request.id, error=error)
                except Exception as error:  # noqa: BLE001 - one request must not affect the others; logged
                    _log.exception("%s failed", request.method)
                    text = f"internal error: {type(error).__name__}"
                    message = Response(request.id, error=RpcError(Code.INTERNAL_ERROR, text))
            if message is not None:  # None if it was cancelled
                await self._send(message)
        finally:
            self._running.pop(request.id, None)
            self._ended.set()

    async def _finish(self, handler: Handler) -> None:
        """Wait for answers that will be ready soon."""
        with anyio.move_on_after(LAST_ANSWERS_SECONDS):
            while any(handler.is_brief(request) for request, _ in self._running.values()):
                self._ended = anyio.Event()
                await self._ended.wait()

    async def _fail(self, request_id: RequestId, error: RpcError) -> None:
        await self._send(Response(request_id, error=error))

    async def _send(self, message: Request | Notification | Response) -> None:
        await self._writer.send(encode(message))

    def _send_nowait(self, message: Notification) -> None:
        try:
            self._writer.send_nowait(encode(message))
        except BrokenPipeError:
            _log.debug("a message was dropped: the client no longer reads")
