"""The first lines of a connection, answered before the engine is imported: an editor waits for this answer."""

import os
import select
from collections import deque
from dataclasses import dataclass, field

from code_mcp_client.framing import Line, LineBuffer
from code_mcp_server.acp.initialize import initialize_result
from code_mcp_server.acp.peer import LONGEST_LINE, Peer
from code_mcp_server.acp.streams import READ_SIZE
from code_mcp_server.jsonrpc import Code, JsonObject, Request, RpcError, messages


@dataclass(slots=True)
class Opening:
    """A connection whose `initialize` has been answered.

    Attributes:
        client: the parameters of `initialize`; None where the input ended before it.
        lines: what has come in and not been looked at.
        buffer: the beginning of the line that comes next.
    """

    peer: Peer = field(default_factory=Peer)
    client: JsonObject | None = None
    lines: deque[Line] = field(default_factory=deque)
    buffer: LineBuffer = field(default_factory=lambda: LineBuffer(LONGEST_LINE))


def shake_hands(stdin: int, stdout: int) -> Opening:
    """Answer lines until one is `initialize`, with blocking reads and writes."""
    opening = Opening()
    while opening.client is None:
        if opening.lines:
            _write(stdout, answered(opening, opening.lines.popleft()))
        elif data := os.read(stdin, READ_SIZE):
            opening.lines = opening.buffer.feed(data)
        else:
            break
    return opening


def client_left(stdin: int, opening: Opening) -> bool:
    """Whether the input has ended with nothing left to look at: nobody waits for the engine."""
    if opening.lines:
        return False
    watch = select.poll()
    watch.register(stdin, select.POLLIN)
    return any(seen & select.POLLHUP and not seen & select.POLLIN for _, seen in watch.poll(0))


def is_initialize(line: Line) -> bool:
    """Whether a line is ACP's `initialize`: that of MCP names its version by a date."""
    match messages(line, LONGEST_LINE):
        case [Request(method="initialize", params={"protocolVersion": int(version)})]:
            return not isinstance(version, bool)
        case _:
            return False


def answered(opening: Opening, line: Line) -> bytes:
    """What to write in answer to a line that comes before the engine."""
    message, reply = opening.peer.receive(line)
    match message:
        case Request(id=request_id, method="initialize", params=params):
            opening.client = params
            return opening.peer.answer(request_id, initialize_result(params))
        case Request(id=request_id, method=method):
            too_early = f"{method[:80]} came before initialize"
            return opening.peer.fail(request_id, RpcError(Code.INVALID_REQUEST, too_early))
        case _:
            return reply


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
