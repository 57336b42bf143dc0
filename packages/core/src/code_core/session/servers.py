"""The MCP servers of a conversation: started beside it, waited for where their tools are needed."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.errors import TurnError
from code_core.protocol.events import BackgroundEvent, EventMsg, WarningEvent
from code_core.protocol.mcp_events import McpListToolsResponse, McpServerStatus, McpTool
from code_core.protocol.policies import SandboxPolicy
from code_core.tools.tool import Emit, Tool
from code_core.view.visible import visible

if TYPE_CHECKING:
    from code_core.mcp_servers.connections import Elicit, McpServers, ServerTool, Status


NOTICED_WAIT = 0.2
"""Seconds after which the user learns what a turn waits for."""


class ConversationServers:
    """Nothing, and nothing imported, for a conversation without servers.

    Args:
        tables: settings by server name.
        cwd: the conversation's directory.
        home: the agent's own directory.
        policy: what commands may do when the conversation starts.
        elicit: answers what servers ask.
        hidden: a tool that is for the agent, not for the model.
    """

    def __init__(
        self,
        tables: Mapping[str, McpServerTable],
        cwd: Path,
        home: Path,
        policy: SandboxPolicy,
        elicit: "Elicit",
        hidden: ClientToolTable | None = None,
    ) -> None:
        self._tables = tables
        self._hidden = hidden
        self._cwd = cwd
        self._home = home
        self._policy = policy
        self._elicit = elicit
        self._servers: McpServers | None = None
        self._tools: list[Tool] = []
        self._ready = anyio.Event()

    async def connect(self, emit: Emit, report: Callable[[EventMsg], None]) -> None:
        """Connect all servers; those that fail are warnings. `report` gets the status of each."""
        if self._tables:
            from code_core.mcp_servers.connections import McpServers
            from code_core.mcp_servers.launch import Workplace
            from code_core.tools.mcp import McpServerTool

            workplace = Workplace(self._cwd, self._home, self._policy, os.environ)
            self._servers = McpServers(self._tables, workplace, self._elicit)

            def on_status(name: str, status: "Status", problem: str | None) -> None:
                report(McpServerStatus(name=name, status=status, error=problem))

            await self._servers.connect(on_status)
            self._tools = [
                McpServerTool(name, tool)
                for name, tool in self._servers.tools.items()
                if not _is(tool, self._hidden)
            ]
            for name, problem in sorted(self._servers.failures.items()):
                await emit(WarningEvent(message=f"MCP server {name!r} is not available: {problem}"))
            for warning in self._servers.warnings:
                await emit(WarningEvent(message=visible(warning)))
        self._ready.set()

    async def tools(self, emit: Emit) -> list[Tool]:
        """Their tools, when each server is there or has failed; a wait that can be noticed is reported through `emit`.

        Raises:
            TurnError: one that is required has failed.
        """
        with anyio.move_on_after(NOTICED_WAIT):
            await self._ready.wait()
        if not self._ready.is_set():
            names = ", ".join(sorted(name for name, table in self._tables.items() if table.enabled))
            await emit(BackgroundEvent(message=f"waiting for the MCP servers to start: {names}"))
            await self._ready.wait()
        if self._servers is not None and (missing := self._servers.missing):
            problems = "; ".join(f"{name}: {self._servers.failures[name]}" for name in missing)
            raise TurnError(f"a required MCP server is not available: {problems}")
        return self._tools

    async def client_tool(self) -> "ServerTool | None":
        """The tool that the model does not see; None if its server is not there or does not have it."""
        await self._ready.wait()
        tools = self._servers.tools.values() if self._servers is not None else ()
        return next((tool for tool in tools if _is(tool, self._hidden)), None)

    async def listing(self) -> McpListToolsResponse:
        """Their tools, for the user."""
        await self._ready.wait()
        tools = self._servers.tools if self._servers is not None else {}
        return McpListToolsResponse(
            tools={
                name: McpTool(
                    server=tool.server,
                    name=tool.definition.name,
                    description=tool.definition.description,
                    input_schema=tool.definition.input_schema,
                )
                for name, tool in tools.items()
            }
        )

    async def aclose(self) -> None:
        """End all of them."""
        if self._servers is not None:
            await self._servers.aclose()


def _is(tool: "ServerTool", wanted: ClientToolTable | None) -> bool:
    return wanted is not None and (tool.server, tool.definition.name) == (wanted.mcp_server, wanted.tool_name)
