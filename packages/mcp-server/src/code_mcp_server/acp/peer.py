"""A JSON-RPC connection as a state machine that tracks open requests in both directions. No IO.

Rules: each incoming request is answered once; each incoming answer ends at most one of our requests.
Invalid input from the client is answered, or dropped if it expects no answer; it never ends the connection.
"""

from itertools import count
from typing import Any

from code_mcp_client.framing import Line
from code_mcp_server.jsonrpc import (
    Code,
    JsonObject,
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

LONGEST_LINE = 128 * 2**20
"""Limit for an incoming line in bytes; longer ones are refused."""
MOST_OPEN = 10_000
"""Limit on the client's open requests."""


class Peer:
    """The open requests on a connection."""

    def __init__(self) -> None:
        self._incoming: set[RequestId] = set()
        self._outgoing: set[RequestId] = set()
        self._ids = count(1)

    def receive(self, line: Line) -> tuple[Message | None, bytes]:
        """Process a line; return the message for us, if any, and the immediate reply to write."""
        message = next(iter(messages(line, LONGEST_LINE)), None)
        match message:
            case Request():
                return self._accept(message)
            case Response():
                return (message, b"") if self._is_ours(message.id) else (None, b"")
            case Malformed(id=request_id, error=error, is_answer=is_answer):
                if is_answer and self._is_ours(request_id):  # the waiting task must not wait forever
                    return Response(request_id, error=error), b""
                return None, encode(Response(request_id, error=error))
            case _:
                return message, b""

    def answer(self, request_id: RequestId, result: Any) -> bytes:
        """Return the line that answers an open request; empty if it was already answered."""
        return self._end(Response(request_id, result))

    def fail(self, request_id: RequestId, error: RpcError) -> bytes:
        """Return the line that answers an open request with an error; empty if it was already answered."""
        return self._end(Response(request_id, error=error))

    def request(self, method: str, params: JsonObject) -> tuple[RequestId, bytes]:
        """Open a request of ours and return its id and line."""
        request_id = next(self._ids)
        self._outgoing.add(request_id)
        return request_id, encode(Request(request_id, method, params))

    def withdraw(self, request_id: RequestId) -> bytes:
        """Withdraw a request of ours and return the line that says so; empty if it was already answered."""
        if request_id not in self._outgoing:
            return b""
        self._outgoing.discard(request_id)
        return encode(Notification("$/cancel_request", {"requestId": request_id}))

    def _accept(self, request: Request) -> tuple[Message | None, bytes]:
        problem = None
        if request.id in self._incoming:
            problem = "a request with this id is still open"
        elif len(self._incoming) >= MOST_OPEN:
            problem = f"{MOST_OPEN:,} requests are open: wait for answers"
        if problem is not None:
            return None, encode(Response(request.id, error=RpcError(Code.INVALID_REQUEST, problem)))
        self._incoming.add(request.id)
        return request, b""

    def _is_ours(self, request_id: RequestId) -> bool:
        ours = isinstance(request_id, int) and request_id in self._outgoing
        self._outgoing.discard(request_id)
        return ours

    def _end(self, response: Response) -> bytes:
        if response.id not in self._incoming:
            return b""
        self._incoming.discard(response.id)
        return encode(response)
