"""Answers the first lines of a connection before the engine is imported, because editors wait for that answer."""

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
        client: the parameters of `initialize`; None if the input ended before it.
        lines: lines received but not processed yet.
        buffer: the beginning of the next line.
    """

    peer: Peer = field(default_factory=Peer)
    client: JsonObject | None = None
    lines: deque[Line] = field(default_factory=deque)
    buffer: LineBuffer = field(default_factory=lambda: LineBuffer(LONGEST_LINE))


def shake_hands(stdin: int, stdout: int) -> Opening:
    """Answer lines up to `initialize`, with blocking reads and writes."""
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
    """Whether the input has ended with nothing left to process, so the engine is not needed."""
    if opening.lines:
        return False
    watch = select.poll()
    watch.register(stdin, select.POLLIN)
    return any(seen & select.POLLHUP and not seen & select.POLLIN for _, seen in watch.poll(0))


def is_initialize(line: Line) -> bool:
    """Whether a line is ACP's `initialize`; MCP's has a date as its version."""
    match messages(line, LONGEST_LINE):
        case [Request(method="initialize", params={"protocolVersion": int(version)})]:
            return not isinstance(version, bool)
        case _:
            return False


def answered(opening: Opening, line: Line) -> bytes:
    """Return the answer to a line that arrives before the engine is loaded."""
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
