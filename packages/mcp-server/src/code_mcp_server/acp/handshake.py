"""The first lines of a connection, answered before the engine is imported: an editor waits for this answer."""

import os
import select
from dataclasses import dataclass, field

from code_mcp_server.acp.framing import LineBuffer
from code_mcp_server.acp.initialize import initialize_result
from code_mcp_server.acp.jsonrpc import Code, JsonObject, Request, Response, RpcError, encode
from code_mcp_server.acp.peer import Peer
from code_mcp_server.acp.streams import READ_SIZE


@dataclass(slots=True)
class Opening:
    """A connection whose `initialize` has been answered.

    Attributes:
        client: the parameters of `initialize`; None where the input ended before it.
        buffer: what has been read and not been looked at.
    """

    peer: Peer = field(default_factory=Peer)
    buffer: LineBuffer = field(default_factory=LineBuffer)
    client: JsonObject | None = None


def shake_hands(stdin: int, stdout: int, first: bytes = b"") -> Opening:
    """Answer lines until one is `initialize`, with blocking reads and writes.

    Args:
        stdin: where lines come from.
        stdout: where answers go.
        first: what has been read already.
    """
    opening = Opening()
    waiting: list[bytes | None] = []
    opening.buffer.feed(first)
    while opening.client is None:
        waiting += opening.buffer.take()
        if not waiting:
            if not (data := os.read(stdin, READ_SIZE)):
                return opening
            opening.buffer.feed(data)
            continue
        line = waiting.pop(0)
        _write(stdout, _answered(opening, line))
    opening.buffer.put_back(waiting)
    return opening


def client_left(stdin: int, opening: Opening) -> bool:
    """Whether the input has ended with nothing left to look at: nobody waits for the engine."""
    if opening.buffer.has_lines:
        return False
    watch = select.poll()
    watch.register(stdin, select.POLLIN)
    return any(seen & select.POLLHUP and not seen & select.POLLIN for _, seen in watch.poll(0))


def is_initialize(line: bytes) -> bool:
    """Whether a line is ACP's `initialize`: that of MCP names its version by a date."""
    message, _ = Peer().receive(line)
    match message:
        case Request(method="initialize", params={"protocolVersion": int(version)}):
            return not isinstance(version, bool)
        case _:
            return False


def _answered(opening: Opening, line: bytes | None) -> bytes:
    if line is None:
        return encode(Response(None, error=RpcError(Code.INVALID_REQUEST, "the line is too long")))
    message, reply = opening.peer.receive(line)
    match message:
        case Request(id=request_id, method="initialize", params=params):
            opening.client = params
            return opening.peer.answer(request_id, initialize_result())
        case Request(id=request_id, method=method):
            too_early = f"{method[:80]} came before initialize"
            return opening.peer.fail(request_id, RpcError(Code.INVALID_REQUEST, too_early))
        case _:
            return reply


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
