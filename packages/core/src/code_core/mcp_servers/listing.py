"""The tools that a server has, and when to ask for them again."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from code_core.mcp_servers.changes import kinds_announced
from code_mcp_client import McpClient, McpClientError, RequestFailed

if TYPE_CHECKING:
    import mcp_types

MOST_PAGES = 100
MOST_TOOLS = 2_048
MOST_PROBLEMS = 20
METHOD_NOT_FOUND = -32601
SHORTEST_POLL = 60.0
"""Seconds between two looks at a list that a server lets us keep for less."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools of a server, each name once, and a line for what is left out of them."""

    tools: list["mcp_types.Tool"]
    problems: list[str]


async def all_tools(client: McpClient) -> Listing:
    """What an open client's server has, from at most 100 pages and at most 2,048; nothing of one without tools."""
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
    """Return when it is time to list the tools again although no change was announced.

    Servers of the handshake era push their announcements. Those of 2026-07-28 push them to a subscriber, if they
    declare that; the subscription is kept here, and may be lost. Otherwise the list stays valid for as
    long as the server says.
    """
    info = await client.initialize()
    kinds = kinds_announced(info.capabilities)
    if not client.is_modern:
        await anyio.sleep_forever()
    elif kinds:
        with anyio.move_on_after(SHORTEST_POLL):
            with suppress(McpClientError):  # it declares what it does not have, or the connection is lost
                await client.subscribe(sorted(kinds))
            await anyio.sleep_forever()
    else:
        await anyio.sleep(max(client.tools_fresh_for or SHORTEST_POLL, SHORTEST_POLL))
