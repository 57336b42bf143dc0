"""The services that a session uses but does not restore: model, tools, servers, files."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import field

import anyio

from code_core.frozen import frozen
from code_core.model.client import ModelClient
from code_core.protocol.checkpoints import Checkpoints
from code_core.session.servers.servers import ConversationServers
from code_core.session.stored.stored_session import StoredSession
from code_core.tools.registry import ToolRegistry
from code_core.tools.terminals import Terminals

_log = logging.getLogger("code_core")

CLOSE_SECONDS = 10.0


@frozen
class Services:
    """The services of one session, assembled by a manager.

    Attributes:
        tools: the session's own tools; each turn adds those of the servers.
        terminals: commands that outlive their calls.
        checkpoints: keeps old versions of files; None if undo is unavailable.
        stored: the session in the store; None for one kept only in memory.
    """

    client: ModelClient
    servers: ConversationServers
    tools: ToolRegistry
    checkpoints: Checkpoints | None = None
    stored: StoredSession | None = None
    terminals: Terminals = field(default_factory=Terminals)


async def close_all(*parts: tuple[str, Callable[[], Awaitable[None]]]) -> None:
    """Close every part, even if others fail, waiting at most 10 seconds for each."""
    for name, close in parts:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True) as clock:
            try:
                await close()
            except Exception:  # noqa: BLE001 - the other parts must be closed too
                _log.exception("closing the %s failed", name)
        if clock.cancelled_caught:
            _log.warning("closing the %s took more than %g s", name, CLOSE_SECONDS)
