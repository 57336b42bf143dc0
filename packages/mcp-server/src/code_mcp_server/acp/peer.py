"""One side of a JSON-RPC connection as a state machine: which requests are open, both ways. No IO.

Rules: a request that came in is answered once; an answer that comes in ends at most one request of ours.
What the client sends in error is answered, or dropped where nothing asks for an answer; it ends nothing.
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
"""Bytes of one line that comes in; a longer one is refused."""
MOST_OPEN = 10_000
"""Requests of the client that may be open at a time."""


class Peer:
    """What is open on a connection."""

    def __init__(self) -> None:
        self._incoming: set[RequestId] = set()
        self._outgoing: set[RequestId] = set()
        self._ids = count(1)

    def receive(self, line: Line) -> tuple[Message | None, bytes]:
        """What a line asks of us (None for nothing), and what to write at once in answer to it."""
        message = next(iter(messages(line, LONGEST_LINE)), None)
        match message:
            case Request():
                return self._accept(message)
            case Response():
                return (message, b"") if self._is_ours(message.id) else (None, b"")
            case Malformed(id=request_id, error=error, is_answer=is_answer):
                if is_answer and self._is_ours(request_id):  # whoever waits must not wait for ever
                    return Response(request_id, error=error), b""
                return None, encode(Response(request_id, error=error))
            case _:
                return message, b""

    def answer(self, request_id: RequestId, result: Any) -> bytes:
        """The line that answers an open request; empty where it has been answered."""
        return self._end(Response(request_id, result))

    def fail(self, request_id: RequestId, error: RpcError) -> bytes:
        """The line that answers an open request with an error; empty where it has been answered."""
        return self._end(Response(request_id, error=error))

    def request(self, method: str, params: JsonObject) -> tuple[RequestId, bytes]:
        """The id and the line of a request of ours, which is open now."""
        request_id = next(self._ids)
        self._outgoing.add(request_id)
        return request_id, encode(Request(request_id, method, params))

    def withdraw(self, request_id: RequestId) -> bytes:
        """Expect no answer to a request of ours any more; the line that says so, or nothing if it was answered."""
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
