"""Runs the server over stdin and stdout."""

from mcp.server.connection import Connection
from mcp.server.runner import serve_connection
from mcp.server.stdio import stdio_server
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.transport_context import TransportContext

from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.session.manager import ConversationManager
from code_mcp_server.malformed import answers_repaired
from code_mcp_server.server import ToolServer
from code_mcp_server.sessions import session_pool


async def run_server(overrides: ConfigOverrides) -> int:
    """Serve until stdin ends; then conversations are closed and their commands ended.

    Only the handshake of 2025 is served: later protocol versions have no requests
    from the server to the client, which approvals need.

    Raises:
        ConfigError: the settings that all conversations share are wrong.
    """
    config = load_config(overrides)
    with ConversationManager(overrides) as manager:
        return await _serve(manager, config)


async def _serve(manager: ConversationManager, config: Config) -> int:
    async with (
        session_pool(manager) as pool,
        stdio_server() as (incoming, outgoing),
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
    return 0
