"""A connection to a client: answers its requests side by side, and asks it things."""

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
    """The answer to a request, and what is to be done once it is on its way."""

    result: JsonObject
    then: Callable[[], Awaitable[None]] | None = None


class Handler(Protocol):
    """Who answers the requests of a connection."""

    async def answer(self, request: Request) -> Answer:
        """The answer; cancelled when the client withdraws the request.

        Raises:
            RpcError: the answer is this error.
        """
        ...

    def notified(self, notification: Notification) -> None:
        """Take note; must not wait."""
        ...


@dataclass(slots=True)
class _Awaited:
    arrived: anyio.Event = field(default_factory=anyio.Event)
    response: Response | None = None


class Connection:
    """See the module.

    Args:
        writer: where lines go; somebody else runs it.
        peer: the state of the connection so far.
    """

    def __init__(self, writer: LineWriter, peer: Peer) -> None:
        self._writer = writer
        self._peer = peer
        self._running: dict[RequestId, anyio.CancelScope] = {}
        self._awaited: dict[RequestId, _Awaited] = {}

    async def serve(self, lines: AsyncIterable[Line], handler: Handler) -> None:
        """Answer until the lines end; what is still being answered then is cancelled."""
        async with anyio.create_task_group() as tasks:
            async for line in lines:
                message, reply = self._peer.receive(line)
                self._writer.put(reply)
                match message:
                    case Request():
                        tasks.start_soon(self._carry_out, message, handler)
                        # It begins before the next message is looked at: that may be its cancellation.
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
        """The client's answer, however long it takes; a cancelled wait withdraws the request.

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
        """Tell the client something; waits while it is far behind with reading."""
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
            except Exception as error:  # noqa: BLE001 - one bad request must not end the others
                _log.exception("the request %s failed", request.method)
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
