"""The MCP servers of a conversation: started in the background, awaited when their tools are needed."""

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.errors import TurnError
from code_core.protocol.events import BackgroundEvent, EventMsg, WarningEvent
from code_core.protocol.mcp_events import McpOffersChanged, McpServerStatus
from code_core.protocol.ops import McpQuery
from code_core.protocol.policies import SandboxPolicy
from code_core.tools.tool import Emit, Tool
from code_core.view.visible import visible

if TYPE_CHECKING:
    from code_core.mcp_servers.changes import Kind
    from code_core.mcp_servers.connections import Elicit, McpServers, ServerTool
    from code_core.mcp_servers.server import Status


NOTICED_WAIT = 0.2
"""Seconds after which the user is told what a turn waits for."""
LONGEST_WAIT = 5.0
"""Seconds after which a turn continues without optional servers."""


class ConversationServers:
    """Runs a conversation's MCP servers; imports nothing for a conversation without any.

    Args:
        tables: settings by server name.
        cwd: the conversation's directory.
        home: the agent's home directory.
        policy: the sandbox policy when the conversation starts.
        elicit: answers questions from servers.
        hidden: tools for the agent that the model does not see.
        opens_urls: whether `elicit` can ask the user to open a page.
        completed: returns the event to report when a server is done with such a page.
    """

    def __init__(
        self,
        tables: Mapping[str, McpServerTable],
        cwd: Path,
        home: Path,
        policy: SandboxPolicy,
        elicit: "Elicit",
        hidden: Collection[ClientToolTable] = (),
        *,
        opens_urls: bool = False,
        completed: Callable[[str, str], EventMsg | None] = lambda _server, _elicitation: None,
    ) -> None:
        self._completed = completed
        self._opens_urls = opens_urls
        self._tables = tables
        self._hidden = hidden
        self._cwd = cwd
        self._home = home
        self._policy = policy
        self._elicit = elicit
        self._servers: McpServers | None = None
        self._offered: Sequence[Tool] = ()
        self._offered_from: Mapping[str, ServerTool] | None = None
        self._begun = anyio.Event()

    async def connect(self, emit: Emit, report: Callable[[EventMsg], None]) -> None:
        """Start all servers and keep them running until cancelled; failures are emitted as warnings.

        `report` gets the status of each server.
        """
        if not self._tables:
            self._begun.set()
            return
        from code_core.mcp_servers.connections import McpServers
        from code_core.mcp_servers.launch import Workplace

        def on_status(name: str, status: "Status", problem: str | None) -> None:
            report(McpServerStatus(name=name, status=status, error=problem))

        def on_offers(name: str, kinds: "frozenset[Kind]") -> None:
            report(McpOffersChanged(server=name, kinds=sorted(kinds)))

        def on_page_completed(name: str, elicitation_id: str) -> None:
            if (msg := self._completed(name, elicitation_id)) is not None:
                report(msg)

        def on_warning(warning: str) -> None:
            report(WarningEvent(message=visible(warning)))

        workplace = Workplace(self._cwd, self._home, self._policy, os.environ)
        servers = self._servers = McpServers(
            self._tables,
            workplace,
            self._elicit,
            on_status,
            on_warning,
            on_offers,
            on_page_completed,
            opens_urls=self._opens_urls,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(servers.run)
            self._begun.set()
            await servers.settled()
            for name, problem in sorted(servers.failures.items()):
                await emit(WarningEvent(message=f"MCP server {name!r} is not available: {problem}"))
            for warning in servers.warnings:
                await emit(WarningEvent(message=visible(warning)))

    async def tools(self, emit: Emit) -> list[Tool]:
        """Return the tools of the servers that have started.

        Waits for required servers up to their start-up time limit, and at most 5 s for others; a noticeable
        wait is reported through `emit`. The tools of a slow server become available in a later turn.

        Raises:
            TurnError: a required server failed.
        """
        await self._begun.wait()
        servers = self._servers
        if servers is None:
            return []
        with anyio.move_on_after(NOTICED_WAIT):
            await servers.settled()
        if servers.starting:
            names = ", ".join(servers.starting)
            await emit(BackgroundEvent(message=f"waiting for the MCP servers to start: {names}"))
            with anyio.move_on_after(LONGEST_WAIT):
                await servers.settled()
            await servers.settled(required=True)
        if servers.starting:
            names = ", ".join(servers.starting)
            text = f"this turn continues without MCP servers that are still starting: {names}"
            await emit(BackgroundEvent(message=text))
        if missing := servers.missing:
            problems = "; ".join(f"{name}: {servers.failures[name]}" for name in missing)
            raise TurnError(f"a required MCP server is not available: {problems}")
        from code_core.tools.mcp import McpServerTool
        from code_core.tools.mcp_resources import resource_tools

        if self._offered_from is not servers.tools:  # reducing the schemas of many tools takes a while
            made_of = servers.tools

            def make() -> list[Tool]:
                return [
                    McpServerTool(name, tool)
                    for name, tool in made_of.items()
                    if not any(_is(tool, one) for one in self._hidden)
                ]

            self._offered = await anyio.to_thread.run_sync(make)
            self._offered_from = made_of
        return [*self._offered, *resource_tools(servers)]

    async def client_tool(self, wanted: ClientToolTable) -> "ServerTool | None":
        """Return a tool hidden from the model, or None if its server lacks it or is unavailable."""
        await self._settled()
        tools = self._servers.tools.values() if self._servers is not None else ()
        return next((tool for tool in tools if _is(tool, wanted)), None)

    async def answer(self, query: McpQuery) -> EventMsg:
        """Answer a frontend's query about the servers."""
        await self._settled()
        from code_core.session.servers.queries import answer

        return await answer(query, self._servers)

    async def _settled(self) -> None:
        await self._begun.wait()
        if self._servers is not None:
            await self._servers.settled()

    async def aclose(self) -> None:
        """Stop all servers."""
        if self._servers is not None:
            await self._servers.aclose()


def _is(tool: "ServerTool", wanted: ClientToolTable) -> bool:
    return (tool.server, tool.definition.name) == (wanted.mcp_server, wanted.tool_name)
