"""Runs the server over stdin and stdout."""

import os
import signal
import sys
import threading
from typing import Any, cast

import anyio
from mcp.server.connection import Connection
from mcp.server.runner import serve_connection
from mcp.server.stdio import stdio_server
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext

from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.session.manager import ConversationManager
from code_mcp_server.input_lines import InputLines, taken_stdin
from code_mcp_server.malformed import answers_repaired
from code_mcp_server.server import ToolServer
from code_mcp_server.sessions import session_pool

STOP_SECONDS = 10.0
"""How long a server that was told to end may take for it."""
ON_A_TERMINAL = (
    "code mcp-server speaks MCP on standard input and output, and is meant to be started by an MCP client. "
    "Ctrl+C ends it."
)


async def run_server(overrides: ConfigOverrides) -> int:
    """Serve until stdin ends or a signal comes; then conversations are closed and their commands ended.

    The exit code: 0, or 128 and the number of the signal.

    Only the handshake of 2025 is served: later protocol versions have no requests
    from the server to the client, which approvals need.

    Raises:
        ConfigError: the settings that all conversations share are wrong.
    """
    config = load_config(overrides)
    if sys.stdin.isatty():
        sys.stderr.write(f"{ON_A_TERMINAL}\n")
    code = 0

    async def stop_on_signal(scope: anyio.CancelScope) -> None:
        nonlocal code
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async for number in signals:
                if code:
                    os._exit(code)  # asked a second time
                code = 128 + number
                _exit_after(STOP_SECONDS, code)
                scope.cancel()

    with ConversationManager(overrides) as manager, taken_stdin() as stdin:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stop_on_signal, tasks.cancel_scope)
            await _serve(manager, config, stdin)
            tasks.cancel_scope.cancel()
    return code


def _exit_after(seconds: float, code: int) -> None:
    """End the process then, whatever still waits: a client that does not read holds up whoever writes to it."""
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()


async def _serve(manager: ConversationManager, config: Config, stdin: int) -> None:
    async with (
        session_pool(manager) as pool,
        stdio_server(stdin=cast("Any", InputLines(stdin))) as (incoming, outgoing),
        answers_repaired(incoming) as messages,
    ):
        tools = ToolServer(pool, config.acp_enabled)
        server = tools.server()
        dispatcher: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(
            messages, outgoing, inline_methods=frozenset({"initialize"})
        )
        tools.connection = Connection.for_loop(dispatcher)
        await serve_connection(
            server,
            dispatcher,
            connection=tools.connection,
            lifespan_state={},
            init_options=server.create_initialization_options(),
        )
