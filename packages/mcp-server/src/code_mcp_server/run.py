"""Runs the server over stdin and stdout.

Clients wait for the handshake, so it is answered first, and the engine is loaded afterwards.
"""

import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread

from code_core.errors import CodeError
from code_core.process.signals import ending_signals
from code_mcp_client.framing import Line
from code_mcp_client.pipes import PipeWriter
from code_mcp_server.acp.handshake import Opening, answered, is_initialize
from code_mcp_server.dialogue import Dialogue, Tools
from code_mcp_server.loading import Loading
from code_mcp_server.peer import Peer
from code_mcp_server.stdio import line_writer, lines_of, taken_stdio

if TYPE_CHECKING:
    from code_core.config.load import ConfigOverrides

STOP_SECONDS = 10.0
"""Time limit for shutting down."""
LAST_OUTPUT_SECONDS = 2.0
"""Time for a client that has closed its end to read remaining output."""
LAST_ANSWERS_SECONDS = 0.2
"""Time that a server with invalid settings keeps running to report them to waiting clients."""
FIRST_MESSAGE_SECONDS = 0.3
"""How long loading the engine waits for the client's first message."""
ON_A_TERMINAL = (
    "code mcp-server speaks MCP on standard input and output, and is meant to be started by an MCP client. "
    "Ctrl+C ends it."
)

Overrides = Callable[[], "ConfigOverrides"]


async def run_server(overrides: Overrides) -> int:
    """Serve until stdin ends or a signal arrives; conversations and their commands are then ended.

    Returns the exit code: 0, or 128 plus the number of the signal.

    Args:
        overrides: returns the default settings of conversations; called in a thread.

    Raises:
        ConfigError: the shared settings are invalid. Waiting requests have been answered with the error.
    """
    if sys.stdin.isatty():
        sys.stderr.write(f"{ON_A_TERMINAL}\n")
        sys.stderr.flush()
    with taken_stdio() as stdio, line_writer(stdio.output) as writer:
        async with stopped_by_signals() as stopped, anyio.create_task_group() as tasks:
            tasks.start_soon(writer.flush_forever)
            engine: Loading[Tools] = Loading()
            peer, first = Peer(writer), anyio.Event()
            loading = anyio.CancelScope()

            async def load() -> None:
                with loading:
                    await _load(overrides, engine, first, tasks.cancel_scope)

            tasks.start_soon(load)
            lines = lines_of(stdio.input)
            head = await anext(lines, None)
            if head is not None and is_initialize(head):  # ACP, so the client is an editor
                loading.cancel()
                stopped.code = await _serve_editor(head, lines, overrides, writer, stdio.output)
                tasks.cancel_scope.cancel()
                return stopped.code
            await peer.serve(_noted(_again(head, lines), first), Dialogue(peer, engine))
            with anyio.move_on_after(LAST_OUTPUT_SECONDS):
                await writer.drained()
            tasks.cancel_scope.cancel()
    if engine.problem is not None:
        raise engine.problem
    return stopped.code


async def _serve_editor(
    head: Line, lines: AsyncIterator[Line], overrides: Overrides, writer: PipeWriter, output: int
) -> int:
    """Serve an editor as `code acp` does; return the exit code."""
    opening = Opening()
    writer.send_nowait(answered(opening, head))
    await writer.drained()
    from code_mcp_server.acp.run import serve_agent  # imported after answering the client

    return await serve_agent(opening, await anyio.to_thread.run_sync(overrides), lines, output)


async def _again(head: Line | None, lines: AsyncIterator[Line]) -> AsyncIterator[Line]:
    """Yield the line that was already read, then the rest."""
    if head is not None:
        yield head
    async for line in lines:
        yield line


class Stopped:
    """Whether a signal has ended the server.

    Attributes:
        code: the exit code for that signal, or 0.
    """

    code = 0


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[Stopped]:
    """Cancel the block on one of the `ending_signals`; a second signal, or 10 s, end the process immediately."""
    stopped = Stopped()

    async def wait(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(*ending_signals()) as signals:
            async for number in signals:
                if stopped.code:
                    os._exit(stopped.code)
                stopped.code = 128 + number
                _exit_after(STOP_SECONDS, stopped.code)
                scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait, tasks.cancel_scope)
        yield stopped
        tasks.cancel_scope.cancel()


def _exit_after(seconds: float, code: int) -> None:
    """Exit after `seconds` even if tasks still wait, for example to write to a client that does not read."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()


async def _noted(lines: AsyncIterator[Line], first: anyio.Event) -> AsyncIterator[Line]:
    """Yield the lines and set `first` when the second is requested, so that the first is answered by then."""
    async for line in lines:
        yield line
        await anyio.lowlevel.checkpoint()  # lets the answering task run
        first.set()
    first.set()


async def _load(
    overrides: Overrides, engine: Loading[Tools], first: anyio.Event, serving: anyio.CancelScope
) -> None:
    """Load the engine and keep its conversations until cancelled."""
    with anyio.move_on_after(FIRST_MESSAGE_SECONDS):
        await first.wait()
    async with AsyncExitStack() as stack:
        try:
            open_engine = await anyio.to_thread.run_sync(_imported, abandon_on_cancel=True)
            engine.set(await stack.enter_async_context(open_engine(overrides)))
        except CodeError as error:
            engine.fail(error)
            await anyio.sleep(LAST_ANSWERS_SECONDS)  # time to answer waiting requests
            serving.cancel()
            return
        await anyio.sleep_forever()


def _imported() -> Callable[[Overrides], AbstractAsyncContextManager[Tools]]:
    from code_mcp_server.engine import open_engine

    return open_engine
