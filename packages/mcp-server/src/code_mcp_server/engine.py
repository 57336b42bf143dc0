"""Sets up the engine: settings, conversations, and the tools."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread

from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.session.manager import ConversationManager
from code_mcp_server.server import ToolServer
from code_mcp_server.sessions import session_pool
from code_mcp_server.tools import codex_tools


@asynccontextmanager
async def open_engine(overrides: Callable[[], ConfigOverrides]) -> AsyncIterator[ToolServer]:
    """Provide the tools; their conversations and commands end with the context.

    Args:
        overrides: returns the default settings of conversations; called in a thread.

    Raises:
        ConfigError: the shared settings are invalid.
    """

    def settings() -> tuple[ConfigOverrides, Config]:
        base = overrides()
        codex_tools()
        return base, load_config(base)

    base, config = await anyio.to_thread.run_sync(settings)
    with ConversationManager(base) as manager:
        async with session_pool(manager) as pool, anyio.create_task_group() as background:
            yield ToolServer(pool, background, config.acp_enabled)
            background.cancel_scope.cancel()
