"""Stops a server with its descendants: politely, then by force.

Scanning for descendants goes through all processes of the machine, and therefore runs in threads.
"""

import logging
from collections.abc import Awaitable, Callable

import anyio
from anyio import to_thread
from anyio.abc import Process

from code_mcp_client.family import ProcessFamily

_GRACE_SECONDS = 2.0  # after closing stdin, and again after SIGTERM
_KILL_SECONDS = 2.0  # for killed processes to disappear
_POLL_SECONDS = 0.01

logger = logging.getLogger("code_mcp_client")


async def stop_server(
    name: str, process: Process, family: ProcessFamily, close_stdin: Callable[[], Awaitable[None]]
) -> None:
    """Close the server's stdin, wait 2 s, terminate, wait 2 s, and kill; returns when its whole family is gone."""
    await to_thread.run_sync(family.look)
    await close_stdin()
    if await _gone_within(_GRACE_SECONDS, process, family):
        return
    await to_thread.run_sync(family.terminate)
    if await _gone_within(_GRACE_SECONDS, process, family):
        return
    await to_thread.run_sync(family.kill)
    if not await _gone_within(_KILL_SECONDS, process, family):
        logger.warning("MCP server %r (process %d) survives being killed; giving up on it", name, process.pid)


async def _gone_within(seconds: float, process: Process, family: ProcessFamily) -> bool:
    with anyio.move_on_after(seconds):
        await process.wait()
        while await to_thread.run_sync(family.alive):  # noqa: ASYNC110 - the end of other processes' children is not reported
            await anyio.sleep(_POLL_SECONDS)
        return True
    return False
