"""One client over lines: its requests are each answered once, our questions to it each get an answer.

Our own JSON-RPC over stdio, because the SDK's takes most of a second to import, drops the extra
fields of questions, and leaves some malformed messages without an answer.
"""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup
from pydantic_core import PydanticSerializationError, to_json

from code_mcp_client.channel import LineWriter
from code_mcp_client.framing import Line
from code_mcp_client.messages import Notification, Request, RequestId
from code_mcp_server.inbox import Answer, Refused, incoming
from code_mcp_server.rpc import INTERNAL_ERROR, INVALID_REQUEST, RpcError

MOST_RUNNING = 1_024
"""Requests that are answered at the same time; more are read when one of them has ended."""
LAST_ANSWERS_SECONDS = 2.0
"""For requests that still run when the client has closed its end, but no turns."""

_log = logging.getLogger("code_core")


class Handler(Protocol):
    """What answers a client's messages."""

    def accept(self, request: Request) -> None:
        """Look at a request before any later message is read.

        Raises:
            RpcError: it cannot be accepted.
        """

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """The result of a request. Cancelled when the client cancels it.

        Raises:
            RpcError: it has none.
        """

    async def notice(self, notification: Notification) -> None:
        """A notification."""

    def is_brief(self, request: Request) -> bool:
        """Whether a client that has closed its end may still wait for the answer."""


class Peer:
    """Speaks JSON-RPC with a client.

    Args:
        writer: where lines to the client go.
    """

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._running: dict[RequestId, tuple[Request, anyio.CancelScope]] = {}
        self._ended = anyio.Event()
        self._questions: dict[RequestId, tuple[anyio.Event, list[Answer]]] = {}
        self._last_question = 0

    async def serve(self, lines: AsyncIterator[Line], handler: Handler) -> None:
        """Answer what comes until the lines end, or the client no longer reads; then what still runs is cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                async for line in lines:
                    for message in incoming(line):
                        await self._take(message, handler, tasks)
                await self._finish(handler)
                tasks.cancel_scope.cancel()
        except* BrokenPipeError:
            _log.info("the client no longer reads")

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification; waits while much is queued."""
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result object of a request to the client; None for every other answer. Cancelling withdraws it."""
        self._last_question += 1
        request_id, answered = self._last_question, anyio.Event()
        answers: list[Answer] = []
        self._questions[request_id] = answered, answers
        try:
            await self._send({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
            await answered.wait()
        except anyio.get_cancelled_exc_class():
            self._send_nowait(
                {
                    "jsonrpc": "2.0",
                    "method": "notifications/cancelled",
                    "params": {"requestId": request_id, "reason": "the question has expired"},
                }
            )
            raise
        finally:
            del self._questions[request_id]
        return answers[0].result

    async def _take(
        self, message: Request | Notification | Answer | Refused, handler: Handler, tasks: TaskGroup
    ) -> None:
        match message:
            case Request():
                await self._begin(message, handler, tasks)
            case Notification("notifications/cancelled", params):
                self._cancel((params or {}).get("requestId"))
            case Notification():
                await handler.notice(message)
            case Answer(request_id) if request_id in self._questions:
                answered, answers = self._questions[request_id]
                answers.append(message)
                answered.set()
            case Answer(request_id):
                _log.info("an answer to the unknown request %r", request_id)
            case Refused(request_id, code, text):
                await self._send(_failure(request_id, RpcError(code, text)))

    async def _begin(self, request: Request, handler: Handler, tasks: TaskGroup) -> None:
        if request.id in self._running:
            in_use = RpcError(INVALID_REQUEST, f"request id {request.id!r} is in use")
            await self._send(_failure(request.id, in_use))
            return
        try:
            handler.accept(request)
        except RpcError as error:
            await self._send(_failure(request.id, error))
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
        message: dict[str, Any] | None = None
        try:
            with scope:
                try:
                    result = await handler.answer(request)
                    message = {"jsonrpc": "2.0", "id": request.id, "result": result}
                except RpcError as error:
                    message = _failure(request.id, error)
                except Exception as error:  # noqa: BLE001 - one request must not end the others; logged
                    _log.exception("%s failed", request.method)
                    text = f"internal error: {type(error).__name__}"
                    message = _failure(request.id, RpcError(INTERNAL_ERROR, text))
            if message is not None:  # none for one that was cancelled
                await self._send(message)
        finally:
            self._running.pop(request.id, None)
            self._ended.set()

    async def _finish(self, handler: Handler) -> None:
        """Wait for the answers that come soon."""
        with anyio.move_on_after(LAST_ANSWERS_SECONDS):
            while any(handler.is_brief(request) for request, _ in self._running.values()):
                self._ended = anyio.Event()
                await self._ended.wait()

    async def _send(self, message: Mapping[str, Any]) -> None:
        await self._writer.send(_line(message))

    def _send_nowait(self, message: Mapping[str, Any]) -> None:
        try:
            self._writer.send_nowait(_line(message))
        except BrokenPipeError:
            _log.debug("a message was dropped: the client no longer reads")


def _failure(request_id: RequestId | None, error: RpcError) -> dict[str, Any]:
    body = {"code": error.code, "message": error.message} | (
        {} if error.data is None else {"data": error.data}
    )
    return {"jsonrpc": "2.0", "id": request_id, "error": body}


def _line(message: Mapping[str, Any]) -> bytes:
    try:
        return to_json(message) + b"\n"
    except (PydanticSerializationError, ValueError):  # a lone surrogate, which JSON can only escape
        return json.dumps(message, default=str).encode() + b"\n"
