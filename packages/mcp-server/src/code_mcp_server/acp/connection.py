"""A connection to a client: answers its requests concurrently, and sends requests to it."""

import logging
from collections.abc import AsyncIterable, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import anyio.lowlevel

from code_mcp_client.framing import Line
from code_mcp_server.acp.outgoing import bounded
from code_mcp_server.acp.peer import Peer
from code_mcp_server.acp.streams import LineWriter
from code_mcp_server.jsonrpc import (
    Code,
    JsonObject,
    Notification,
    Request,
    RequestId,
    Response,
    RpcError,
    encode,
)

_log = logging.getLogger("code_core")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request, and a function to call once it has been sent."""

    result: JsonObject
    then: Callable[[], Awaitable[None]] | None = None


class Handler(Protocol):
    """Answers the requests on a connection."""

    async def answer(self, request: Request) -> Answer:
        """Return the answer; cancelled when the client withdraws the request.

        Raises:
            RpcError: sent as the answer.
        """
        ...

    def notified(self, notification: Notification) -> None:
        """Process a notification without waiting."""
        ...


@dataclass(slots=True)
class _Awaited:
    arrived: anyio.Event = field(default_factory=anyio.Event)
    response: Response | None = None


class Connection:
    """See the module.

    Args:
        writer: writes lines; run by the caller.
        peer: the current state of the connection.
    """

    def __init__(self, writer: LineWriter, peer: Peer) -> None:
        self._writer = writer
        self._peer = peer
        self._running: dict[RequestId, anyio.CancelScope] = {}
        self._awaited: dict[RequestId, _Awaited] = {}

    async def serve(self, lines: AsyncIterable[Line], handler: Handler) -> None:
        """Answer requests until the lines end, then cancel unfinished ones."""
        async with anyio.create_task_group() as tasks:
            async for line in lines:
                message, reply = self._peer.receive(line)
                self._writer.put(reply)
                match message:
                    case Request():
                        tasks.start_soon(self._carry_out, message, handler)
                        # It starts before the next message is read, which may cancel it.
                        await anyio.lowlevel.checkpoint()
                    case Notification(method="$/cancel_request", params=params):
                        self._cancel(params.get("requestId"))
                    case Notification():
                        handler.notified(message)
                    case Response(id=request_id):
                        if (awaited := self._awaited.get(request_id)) is not None:
                            awaited.response = message
                            awaited.arrived.set()
                    case _:
                        pass
                await self._writer.room()
            tasks.cancel_scope.cancel()

    async def request(self, method: str, params: JsonObject) -> Any:
        """Return the client's answer, however long it takes; cancelling the wait withdraws the request.

        Raises:
            RpcError: the client answered with an error.
        """
        request_id, line = self._peer.request(method, params)
        awaited = self._awaited[request_id] = _Awaited()
        self._writer.put(line)
        try:
            await awaited.arrived.wait()
        finally:
            del self._awaited[request_id]
            self._writer.put(self._peer.withdraw(request_id))
        assert awaited.response is not None  # noqa: S101 - it has arrived
        if awaited.response.error is not None:
            raise awaited.response.error
        return awaited.response.result

    async def notify(self, method: str, params: JsonObject) -> None:
        """Send a notification; waits while the client is far behind."""
        notification = Notification(method, params)
        self._writer.put(bounded(encode(notification), notification))
        await self._writer.room()

    async def _carry_out(self, request: Request, handler: Handler) -> None:
        with anyio.CancelScope() as scope:
            self._running[request.id] = scope
            try:
                answer = await handler.answer(request)
                self._writer.put(self._peer.answer(request.id, answer.result))
                if answer.then is not None:
                    await answer.then()
            except RpcError as error:
                self._writer.put(self._peer.fail(request.id, error))
            except Exception as error:  # noqa: BLE001 - one bad request must not affect the others
                _log.exception("request %s failed", request.method)
                internal = RpcError(Code.INTERNAL_ERROR, f"internal error: {type(error).__name__}")
                self._writer.put(self._peer.fail(request.id, internal))
            finally:
                del self._running[request.id]
        if scope.cancelled_caught:
            withdrawn = RpcError(Code.CANCELLED, f"{request.method} was cancelled")
            self._writer.put(self._peer.fail(request.id, withdrawn))

    def _cancel(self, request_id: object) -> None:
        if isinstance(request_id, int | str) and (scope := self._running.get(request_id)) is not None:
            scope.cancel()
