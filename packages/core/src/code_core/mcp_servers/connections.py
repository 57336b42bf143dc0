"""Connects the configured servers side by side, and collects their tools."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio

from code_core.config.schema import McpServerTable
from code_core.mcp_servers.names import qualified_name
from code_core.mcp_servers.time_limit import TimeLimit
from code_mcp_client import ClientCallbacks, McpClient, McpClientConfig, McpClientError, parse_capacity

if TYPE_CHECKING:
    import mcp_types

_log = logging.getLogger("code_core")

MOST_PAGES = 100
MOST_TOOLS = 2_048

Elicit = Callable[[str, "mcp_types.ElicitRequestParams"], Awaitable["mcp_types.ElicitResult"]]
"""Asks the user what a server, by its name, wants to know."""

Status = Literal["starting", "ready", "failed", "cancelled"]
OnStatus = Callable[[str, Status, str | None], None]
"""Gets how far a server, by its name, has got, and why it failed."""


def ignore_status(name: str, status: Status, problem: str | None) -> None:
    """For those who do not follow how servers start."""


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool of a connected server, and how to call it."""

    server: str
    definition: "mcp_types.Tool"
    client: McpClient
    limit: TimeLimit


class McpServers:
    """The servers of one conversation. A server that fails is a warning; the others go on.

    Args:
        tables: settings by server name.
        cwd: where relative paths of settings begin, and what servers are told is the user's root.
        elicit: answers what servers ask.

    Attributes:
        failures: why a server is not there, by its name.
        tools: by the names that the model uses, sorted.
    """

    def __init__(self, tables: Mapping[str, McpServerTable], cwd: Path, elicit: Elicit) -> None:
        self._tables = tables
        self._cwd = cwd
        self._elicit = elicit
        self._clients: dict[str, McpClient] = {}
        self.failures: dict[str, str] = {}
        self.tools: dict[str, ServerTool] = {}

    @property
    def missing(self) -> list[str]:
        """The required servers that are not there."""
        return sorted(name for name in self.failures if self._tables[name].required)

    async def connect(self, on_status: OnStatus = ignore_status) -> None:
        """Start all servers and list their tools; returns when each of them is there or has failed."""
        found: dict[str, list[ServerTool]] = {}

        async def connect_one(name: str, table: McpServerTable) -> None:
            on_status(name, "starting", None)
            try:
                found[name] = await self._start(name, table)
            except McpClientError as error:
                self.failures[name] = str(error)
            except Exception as error:  # noqa: BLE001 - no server may end the conversation
                _log.warning("MCP server %s failed in an unexpected way", name, exc_info=error)
                self.failures[name] = f"{type(error).__name__}: {error}"
            except anyio.get_cancelled_exc_class():
                on_status(name, "cancelled", None)
                raise
            problem = self.failures.get(name)
            on_status(name, "ready" if problem is None else "failed", problem)

        async with anyio.create_task_group() as tasks:
            for name, table in self._tables.items():
                tasks.start_soon(connect_one, name, table)
        tools: dict[str, ServerTool] = {}
        for name in sorted(found):
            for tool in found[name]:
                tools.setdefault(qualified_name(name, tool.definition.name), tool)
        self.tools = dict(sorted(tools.items()))

    async def aclose(self) -> None:
        """End all servers, side by side."""
        async with anyio.create_task_group() as tasks:
            for client in self._clients.values():
                tasks.start_soon(client.aclose)

    async def _start(self, name: str, table: McpServerTable) -> list[ServerTool]:
        limit = TimeLimit(table.tool_timeout_sec)
        client = client_of(name, table, self._cwd, self._callbacks(name, limit))
        self._clients[name] = client
        try:
            with anyio.fail_after(table.startup_timeout_sec):
                await client.__aenter__()
                await client.initialize()
                definitions = await all_tools(client)
        except TimeoutError:
            raise McpClientError(f"it was not ready within {table.startup_timeout_sec:g} s") from None
        offered = [tool for tool in definitions if _is_enabled(tool.name, table)]
        return [ServerTool(name, tool, client, limit) for tool in offered]

    def _callbacks(self, name: str, limit: TimeLimit) -> ClientCallbacks:
        import mcp_types

        async def elicit(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
            del context
            with limit.question():
                return await self._elicit(name, params)

        async def roots(context: Any) -> mcp_types.ListRootsResult:
            del context
            root: Any = self._cwd.as_uri()
            return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri=root, name=self._cwd.name)])

        return ClientCallbacks(elicitation=elicit, list_roots=roots)


def client_of(
    name: str, table: McpServerTable, cwd: Path, callbacks: ClientCallbacks | None = None
) -> McpClient:
    """The client that the settings of a server describe, not opened yet.

    Raises:
        McpClientError: a setting cannot be used.
    """
    capacity = None
    if table.buffer_capacity is not None:
        capacity = parse_capacity(table.buffer_capacity, f"mcp_servers.{name}.buffer_capacity")
    config = McpClientConfig(
        buffer_capacity=capacity,
        startup_timeout=table.startup_timeout_sec,
        tool_timeout=table.tool_timeout_sec,
    )
    if table.url is not None:
        return McpClient.http(
            table.url,
            config=config,
            headers=table.http_headers,
            bearer_token_env_var=table.bearer_token_env_var,
            callbacks=callbacks,
        )
    return McpClient.stdio(
        table.command or "",
        table.args,
        table.env,
        config=config,
        env_vars=table.env_vars,
        cwd=cwd / table.cwd if table.cwd is not None else cwd,
        callbacks=callbacks,
    )


async def all_tools(client: McpClient) -> list["mcp_types.Tool"]:
    """What an open client's server has, from at most 100 pages and at most 2,048."""
    tools: list[mcp_types.Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None or len(tools) >= MOST_TOOLS:
            break
    return tools[:MOST_TOOLS]


def _is_enabled(tool: str, table: McpServerTable) -> bool:
    return tool not in table.disabled_tools and (table.enabled_tools is None or tool in table.enabled_tools)
