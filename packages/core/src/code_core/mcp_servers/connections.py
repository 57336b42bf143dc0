"""Connects the configured servers side by side, and collects their tools."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anyio

from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers.launch import SAFE_PATH, Workplace, prepare, roots_of
from code_core.mcp_servers.names import qualified_names
from code_core.mcp_servers.time_limit import TimeLimit
from code_mcp_client import ClientCallbacks, McpClient, McpClientError

if TYPE_CHECKING:
    import mcp_types

_log = logging.getLogger("code_core")

MOST_PAGES = 100
MOST_TOOLS = 2_048
MOST_PROBLEMS = 20

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
        workplace: what they are started for.
        elicit: answers what servers ask.

    Attributes:
        failures: why a server is not available, by its name.
        warnings: what else the user should know: how servers start, which tools are left out.
        tools: by the names that the model uses, sorted.
    """

    def __init__(self, tables: Mapping[str, McpServerTable], workplace: Workplace, elicit: Elicit) -> None:
        self._tables = tables
        self._workplace = workplace
        self._elicit = elicit
        self._clients: dict[str, McpClient] = {}
        self.failures: dict[str, str] = {}
        self.warnings: list[str] = []
        self.tools: dict[str, ServerTool] = {}

    @property
    def missing(self) -> list[str]:
        """The required servers that are not there."""
        return sorted(name for name in self.failures if self._tables[name].required)

    async def connect(self, on_status: OnStatus = ignore_status) -> None:
        """Start all servers and list their tools; returns when each of them is ready or has failed."""
        found: dict[str, list[ServerTool]] = {}

        async def connect_one(name: str, table: McpServerTable) -> None:
            on_status(name, "starting", None)
            try:
                found[name] = await self._start(name, table)
            except McpClientError as error:
                self.failures[name] = _with_hint(str(error), name)
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
        tools = {(tool.server, tool.definition.name): tool for name in found for tool in found[name]}
        self.tools = {name: tools[tool] for name, tool in qualified_names(tools).items()}

    async def aclose(self) -> None:
        """End all servers, side by side."""
        async with anyio.create_task_group() as tasks:
            for client in self._clients.values():
                tasks.start_soon(client.aclose)

    async def _start(self, name: str, table: McpServerTable) -> list[ServerTool]:
        limit = TimeLimit(table.tool_timeout_sec)
        callbacks = self._callbacks(name, table, limit)
        prepared = await anyio.to_thread.run_sync(prepare, name, table, self._workplace, callbacks)
        self.warnings += prepared.warnings
        client = self._clients[name] = prepared.client
        try:
            with anyio.fail_after(table.startup_timeout_sec):
                await client.__aenter__()
                await client.initialize()
                listing = await all_tools(client)
        except TimeoutError:
            raise McpClientError(f"it was not ready within {table.startup_timeout_sec:g} s") from None
        self.warnings += [f"MCP server {name!r}: {problem}" for problem in listing.problems]
        offered = [tool for tool in listing.tools if _is_enabled(tool.name, table)]
        return [ServerTool(name, tool, client, limit) for tool in offered]

    def _callbacks(self, name: str, table: McpServerTable, limit: TimeLimit) -> ClientCallbacks:
        import mcp_types

        async def elicit(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
            del context
            with limit.question():
                return await self._elicit(name, params)

        async def roots(context: Any) -> mcp_types.ListRootsResult:
            del context
            return mcp_types.ListRootsResult(roots=[_root(path) for path in declared])

        declared = roots_of(table, self._workplace.cwd)
        return ClientCallbacks(elicitation=elicit, list_roots=roots if declared else None)


@dataclass(frozen=True, slots=True)
class Listing:
    """The tools of a server, each name once, and a line for what is left out of them."""

    tools: list["mcp_types.Tool"]
    problems: list[str]


async def all_tools(client: McpClient) -> Listing:
    """What an open client's server has, from at most 100 pages and at most 2,048."""
    listed: list[mcp_types.Tool] = []
    problems: list[str] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
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
        f"it lists two tools called {tool.name!r}; the first one counts"
        for tool in listed[:MOST_TOOLS]
        if tools.setdefault(tool.name, tool) is not tool
    ]
    return Listing(list(tools.values()), [*client.left_out, *problems][:MOST_PROBLEMS])


def _root(path: Path) -> "mcp_types.Root":
    import mcp_types

    uri: Any = path.as_uri()
    return mcp_types.Root(uri=uri, name=path.name)


def _with_hint(problem: str, name: str) -> str:
    """`problem`, and what to do where the way servers are started is a likely cause."""
    if "ModuleNotFoundError" not in problem:
        return problem
    return (
        f"{problem}\nIf it imports modules from its own directory: servers start with {SAFE_PATH}=1; "
        f'set mcp_servers.{name}.env.{SAFE_PATH} to "" if you trust that directory'
    )


def _is_enabled(tool: str, table: McpServerTable) -> bool:
    return tool not in table.disabled_tools and (table.enabled_tools is None or tool in table.enabled_tools)
