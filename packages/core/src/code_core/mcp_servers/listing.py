"""Lists a server's tools and decides when to list them again."""

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from code_core.frozen import frozen
from code_core.mcp_servers.changes import kinds_announced
from code_mcp_client import McpClient, McpClientError, RequestFailed

if TYPE_CHECKING:
    import mcp_types

MOST_PAGES = 100
MOST_TOOLS = 2_048
MOST_PROBLEMS = 20
METHOD_NOT_FOUND = -32601
SHORTEST_POLL = 60.0
"""Minimum seconds between two listings, whatever shorter lifetime the server declares."""


@frozen
class Listing:
    """A server's tools without duplicates, and a line for each problem with the list."""

    tools: list["mcp_types.Tool"]
    problems: list[str]


async def all_tools(client: McpClient) -> Listing:
    """Return the tools of an open client, from at most 100 pages and at most 2,048; empty if it offers none."""
    listed: list[mcp_types.Tool] = []
    problems: list[str] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        try:
            page = await client.list_tools(cursor=cursor)
        except RequestFailed as error:
            if error.code != METHOD_NOT_FOUND or cursor is not None:
                raise
            declared = (await client.initialize()).capabilities.tools is not None
            return Listing([], ["it declares tools, but does not list any"] if declared else [])
        listed += page.tools
        cursor = page.next_cursor
        if cursor is None or len(listed) > MOST_TOOLS:
            break
    if cursor is not None or len(listed) > MOST_TOOLS:
        problems.append(
            f"it has more than {MOST_TOOLS:,} tools, or lists them on more than {MOST_PAGES} pages"
        )
    tools: dict[str, mcp_types.Tool] = {}
    problems += [
        f"it lists two tools called {tool.name!r}; the first one is used"
        for tool in listed[:MOST_TOOLS]
        if tools.setdefault(tool.name, tool) is not tool
    ]
    return Listing(list(tools.values()), [*client.left_out, *problems][:MOST_PROBLEMS])


async def next_look(client: McpClient) -> None:
    """Wait until the tools should be listed again although no change was announced.

    Servers of the handshake era push notifications. Those of 2026-07-28 push them to subscribers if they
    declare it; the subscription is kept here and may be lost. Otherwise the list stays valid for as
    long as the server declares.
    """
    info = await client.initialize()
    kinds = kinds_announced(info.capabilities)
    if not client.is_modern:
        await anyio.sleep_forever()
    elif kinds:
        with anyio.move_on_after(SHORTEST_POLL):
            with suppress(McpClientError):  # unsupported despite the declaration, or the connection is lost
                await client.subscribe(sorted(kinds))
            await anyio.sleep_forever()
    else:
        await anyio.sleep(max(client.tools_fresh_for or SHORTEST_POLL, SHORTEST_POLL))
