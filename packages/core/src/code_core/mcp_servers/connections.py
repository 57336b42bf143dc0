"""Connects the configured servers of a conversation and names their tools for the model."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from code_core.config.schema.servers import McpServerTable
from code_core.frozen import frozen
from code_core.mcp_servers.changes import Kind
from code_core.mcp_servers.launch import Prepared, Workplace, prepare, roots_of
from code_core.mcp_servers.names import qualified_names
from code_core.mcp_servers.server import OnOffers, OnStatus, Report, Server, Status
from code_core.mcp_servers.time_limit import TimeLimit
from code_mcp_client import ClientCallbacks

if TYPE_CHECKING:
    import mcp_types

Elicit = Callable[[str, "mcp_types.ElicitRequestParams"], Awaitable["mcp_types.ElicitResult"]]
"""Asks the user a question from a server, given by name."""


def ignore_status(name: str, status: Status, problem: str | None) -> None:
    """Default callback for a server's status."""


def ignore_offers(name: str, kinds: frozenset[Kind]) -> None:
    """Default callback for changed offers."""


def ignore_page(name: str, elicitation_id: str) -> None:
    """Default callback for completed pages."""


def ignore_warning(warning: str) -> None:
    """Default callback for warnings, which are also in `McpServers.warnings`."""


@frozen
class ServerTool:
    """A tool and its server, which may be temporarily unavailable."""

    definition: "mcp_types.Tool"
    host: Server

    @property
    def server(self) -> str:
        """The server's name."""
        return self.host.name

    @property
    def limit(self) -> TimeLimit:
        """The time limit for its calls."""
        return self.host.limit


@dataclass(slots=True)
class McpServers:
    """The servers of one conversation. If one fails, a warning is recorded and the others continue.

    Args:
        tables: settings by server name.
        workplace: the directories, environment and policy for starting them.
        elicit: answers questions from servers.

    Attributes:
        on_status: receives the status of each server.
        on_offers: receives the kinds that a server reports as changed.
        on_page_completed: called when a server is done with a page that it asked to open.
        on_warning: receives warnings once `connect` has returned.
        opens_urls: whether `elicit` can ask the user to open a page.
        warnings: warnings from starting the servers.
        tools: the tools by the names that the model uses, sorted.
    """

    tables: Mapping[str, McpServerTable]
    workplace: Workplace
    elicit: Elicit
    on_status: OnStatus = ignore_status
    on_warning: Callable[[str], None] = ignore_warning
    on_offers: OnOffers = ignore_offers
    on_page_completed: Callable[[str, str], None] = ignore_page
    warnings: list[str] = field(default_factory=list)
    tools: dict[str, ServerTool] = field(default_factory=dict)
    opens_urls: bool = False
    _servers: dict[str, Server] = field(default_factory=dict)
    _connected: bool = False

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            report = Report(self._status, self._list, self._offers, self._page_completed, self._warn)
            server = Server(name, table, partial(self._prepare, name, table), report)
            self._servers[name] = server

    @property
    def failures(self) -> dict[str, str]:
        """Why servers are not available, by server name."""
        return {name: server.problem for name, server in self._servers.items() if server.problem is not None}

    @property
    def missing(self) -> list[str]:
        """The required servers that are not available."""
        return sorted(name for name in self.failures if self.tables[name].required)

    @property
    def starting(self) -> list[str]:
        """The servers whose first start has neither succeeded nor failed."""
        return sorted(name for name, server in self._servers.items() if not server.is_settled)

    def server(self, name: str) -> Server | None:
        """Return the server with that name, if any."""
        return self._servers.get(name)

    @property
    def all(self) -> list[Server]:
        """All servers, sorted by name."""
        return [server for _, server in sorted(self._servers.items())]

    async def run(self) -> None:
        """Start all servers and keep them running until cancelled."""
        async with anyio.create_task_group() as tasks:
            for server in self._servers.values():
                tasks.start_soon(server.run)

    async def settled(self, *, required: bool = False) -> None:
        """Wait until each server, or each required one, has started or failed."""
        for name, server in self._servers.items():
            if self.tables[name].required or not required:
                await server.settled()
        self._connected = self._connected or not required

    async def aclose(self) -> None:
        """Stop all servers concurrently."""
        async with anyio.create_task_group() as tasks:
            for server in self._servers.values():
                tasks.start_soon(server.aclose)

    def _status(self, name: str, status: Status, problem: str | None) -> None:
        self.on_status(name, status, problem)

    def _offers(self, name: str, kinds: frozenset[Kind]) -> None:
        self.on_offers(name, kinds)

    def _page_completed(self, name: str, elicitation_id: str) -> None:
        self.on_page_completed(name, elicitation_id)

    def _warn(self, warning: str) -> None:
        if self._connected:
            self.on_warning(warning)
        else:
            self.warnings.append(warning)

    def _list(self) -> None:
        tools = {
            (name, tool.name): ServerTool(tool, server)
            for name, server in self._servers.items()
            for tool in server.tools
        }
        self.tools = {name: tools[tool] for name, tool in qualified_names(tools).items()}

    async def _prepare(self, name: str, table: McpServerTable) -> Prepared:
        callbacks = self._callbacks(name, table)
        return await anyio.to_thread.run_sync(prepare, name, table, self.workplace, callbacks)

    def _callbacks(self, name: str, table: McpServerTable) -> ClientCallbacks:
        import mcp_types

        async def elicit(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
            del context
            with self._servers[name].limit.question():
                return await self.elicit(name, params)

        async def roots(context: Any) -> mcp_types.ListRootsResult:
            del context
            return mcp_types.ListRootsResult(roots=[_root(path) for path in declared])

        declared = roots_of(table, self.workplace.cwd)
        return ClientCallbacks(
            elicitation=elicit, list_roots=roots if declared else None, opens_urls=self.opens_urls
        )


def _root(path: Path) -> "mcp_types.Root":
    import mcp_types

    uri: Any = path.as_uri()
    return mcp_types.Root(uri=uri, name=path.name)
