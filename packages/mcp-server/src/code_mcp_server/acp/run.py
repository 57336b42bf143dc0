"""Runs the agent on a connection whose `initialize` has been answered, until its input ends."""

import os
import threading
from collections.abc import AsyncIterator

import anyio

from code_core.acp.capabilities import ClientCapabilities
from code_core.config.load import ConfigOverrides
from code_core.process.signals import ending_signals
from code_core.session.manager import ConversationManager
from code_mcp_client.framing import Line
from code_mcp_server.acp.agent import Agent
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.handshake import Opening
from code_mcp_server.acp.sessions import Sessions
from code_mcp_server.acp.streams import LineWriter, read_lines

END_SECONDS = 0.08
"""Time limit for shutting down. Everything is recorded when it happens, and running commands end with us."""


async def run_agent(opening: Opening, overrides: ConfigOverrides, stdin: int, stdout: int) -> int:
    """Serve until stdin ends or a signal arrives; turns are then interrupted and sessions closed.

    Returns the exit code: 0, or 128 plus the number of the signal.
    """
    return await serve_agent(opening, overrides, read_lines(stdin, opening.lines, opening.buffer), stdout)


async def serve_agent(
    opening: Opening, overrides: ConfigOverrides, lines: AsyncIterator[Line], stdout: int
) -> int:
    """Like `run_agent`, for lines that the caller reads."""
    code = 0
    end = _HardEnd()
    writer = LineWriter(stdout)
    connection = Connection(writer, opening.peer)
    client = ClientCapabilities.of(opening.client or {})

    async def stop_on_signal(scope: anyio.CancelScope) -> None:
        nonlocal code
        with anyio.open_signal_receiver(*ending_signals()) as signals:
            async for number in signals:
                code = 128 + number
                end.within(END_SECONDS, code)
                scope.cancel()

    async def to_the_end() -> AsyncIterator[Line]:
        async for line in lines:
            yield line
        end.within(END_SECONDS, code)

    with ConversationManager(overrides) as manager:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_on_signal, tasks.cancel_scope)
            tasks.start_soon(writer.run)
            agent = Agent(Sessions(manager, connection, client, overrides, tasks))
            await connection.serve(to_the_end(), agent)
            tasks.cancel_scope.cancel()
    writer.flush()
    return code


class _HardEnd:
    """Ends the process after a time limit: a client that is gone, or that will kill us, does not wait."""

    def __init__(self) -> None:
        self._timer: threading.Timer | None = None

    def within(self, seconds: float, code: int) -> None:
        """End the process after `seconds` with this exit code; only the first call counts."""
        if self._timer is None:
            self._timer = threading.Timer(seconds, os._exit, [code])
            self._timer.daemon = True
            self._timer.start()
