"""Runs the server over stdin and stdout.

A client waits for the handshake, so that is answered first; the engine is loaded after it.
"""

import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import anyio.to_thread

from code_core.errors import CodeError
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
"""How long a server that was told to end may take for it."""
LAST_OUTPUT_SECONDS = 2.0
"""How long a client that has closed its end may take to read what is left."""
LAST_ANSWERS_SECONDS = 0.2
"""How long a server with wrong settings goes on, to say so to those who wait."""
FIRST_MESSAGE_SECONDS = 0.3
"""How long loading the engine waits for the client to speak first."""
ON_A_TERMINAL = (
    "code mcp-server speaks MCP on standard input and output, and is meant to be started by an MCP client. "
    "Ctrl+C ends it."
)

Overrides = Callable[[], "ConfigOverrides"]


async def run_server(overrides: Overrides) -> int:
    """Serve until stdin ends or a signal comes; then conversations are closed and their commands ended.

    The exit code: 0, or 128 and the number of the signal.

    Args:
        overrides: gives the settings of every conversation that does not choose its own; called in a thread.

    Raises:
        ConfigError: the settings that all conversations share are wrong. Requests that were waiting were told.
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
            if head is not None and is_initialize(head):  # of ACP: the client is an editor
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
    """Be the agent of an editor, as `code acp` is; the exit code."""
    opening = Opening()
    writer.send_nowait(answered(opening, head))
    await writer.drained()
    from code_mcp_server.acp.run import serve_agent  # the client has its answer

    return await serve_agent(opening, await anyio.to_thread.run_sync(overrides), lines, output)


async def _again(head: Line | None, lines: AsyncIterator[Line]) -> AsyncIterator[Line]:
    """The lines, with the one that was looked at."""
    if head is not None:
        yield head
    async for line in lines:
        yield line


class Stopped:
    """Whether a signal has ended the server.

    Attributes:
        code: the exit code that says so; 0 if none has.
    """

    code = 0


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[Stopped]:
    """A block that SIGINT, SIGTERM and SIGHUP cancel; after a second one, or 10 s, the process ends as it is."""
    stopped = Stopped()

    async def wait(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
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
    """End the process then, whatever still waits: a client that does not read holds up whoever writes to it."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()


async def _noted(lines: AsyncIterator[Line], first: anyio.Event) -> AsyncIterator[Line]:
    """The lines; `first` is set when the second one is asked for, so that the answer to the first is on its way."""
    async for line in lines:
        yield line
        await anyio.lowlevel.checkpoint()  # the task that answers runs now
        first.set()
    first.set()


async def _load(
    overrides: Overrides, engine: Loading[Tools], first: anyio.Event, serving: anyio.CancelScope
) -> None:
    """Load the engine, and keep its conversations until this is cancelled."""
    with anyio.move_on_after(FIRST_MESSAGE_SECONDS):
        await first.wait()
    async with AsyncExitStack() as stack:
        try:
            open_engine = await anyio.to_thread.run_sync(_imported, abandon_on_cancel=True)
            engine.set(await stack.enter_async_context(open_engine(overrides)))
        except CodeError as error:
            engine.fail(error)
            await anyio.sleep(LAST_ANSWERS_SECONDS)  # to those who wait
            serving.cancel()
            return
        await anyio.sleep_forever()


def _imported() -> Callable[[Overrides], AbstractAsyncContextManager[Tools]]:
    from code_mcp_server.engine import open_engine

    return open_engine
