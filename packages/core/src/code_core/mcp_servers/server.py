"""One configured server over the life of a conversation: it starts, changes its tools, dies, and is started again.

Nothing here holds up a turn. A server that ends is started again in the background, at most three times
in five minutes; calls meanwhile fail at once, and say so.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import anyio

from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers.changes import Changes, Kind, kind_changed, kinds_declared
from code_core.mcp_servers.launch import SAFE_PATH, Prepared
from code_core.mcp_servers.listing import Listing, all_tools, next_look
from code_core.mcp_servers.time_limit import TimeLimit
from code_mcp_client import ClientClosed, McpClient, McpClientError

if TYPE_CHECKING:
    import mcp_types

_log = logging.getLogger("code_core")

RESTART_DELAYS = (0.5, 2.0, 5.0)
"""Seconds before each new start of a server that has ended."""
RESTART_PERIOD = 300.0
"""Seconds in which a server is started again so often, and no more."""

Status = Literal["starting", "ready", "failed", "cancelled"]
OnStatus = Callable[[str, Status, str | None], None]
"""Gets how far a server, by its name, has got, and why it failed."""
OnOffers = Callable[[str, frozenset[Kind]], None]
Prepare = Callable[[], Awaitable[Prepared]]


@dataclass(frozen=True, slots=True)
class Report:
    """Where a server says how it is.

    Attributes:
        status: gets how far it has got.
        changed: called when its tools change, and when it becomes available or unavailable.
        offers: gets what kinds of things it says have changed, by its name.
        page_completed: gets its name and the id of an elicitation whose page is done with.
        warn: gets what else the user should know.
    """

    status: OnStatus
    changed: Callable[[], None]
    offers: OnOffers
    page_completed: Callable[[str, str], None]
    warn: Callable[[str], None]


class Server:
    """A server of a conversation.

    Args:
        name: of the server in the settings.
        table: its settings.
        prepare: makes a client that is not opened yet.
        report: gets how it is.

    Attributes:
        tools: those that it has and that are enabled; those it had, while it is started again.
        offers: the kinds of things that it has declared.
        problem: why it is not available; None while it is.
        limit: the time limit of its tools.
    """

    def __init__(self, name: str, table: McpServerTable, prepare: Prepare, report: Report) -> None:
        self.name = name
        self._table = table
        self._prepare = prepare
        self._report = report
        self._client: McpClient | None = None
        self._settled = anyio.Event()
        self._starting = True
        self._closed = False
        self._changed = Changes()
        self.offers: frozenset[Kind] = frozenset()
        self.tools: list[mcp_types.Tool] = []
        self.problem: str | None = None
        self.limit = TimeLimit(table.tool_timeout_sec)

    @property
    def is_settled(self) -> bool:
        """Whether its first start has succeeded or failed."""
        return self._settled.is_set()

    async def settled(self) -> None:
        """Return when its first start has succeeded or failed."""
        await self._settled.wait()

    def client(self) -> McpClient:
        """The open client.

        Raises:
            McpClientError: the server is not available.
        """
        if self._client is None:
            again = "it is being restarted" if self._starting else "it is not restarted"
            raise McpClientError(f"the MCP server {self.name!r} is not available: {self.problem} ({again})")
        return self._client

    async def call_tool(
        self, tool: str, arguments: Mapping[str, Any], progress: Any = None
    ) -> "mcp_types.CallToolResult":
        """Run a tool; the caller limits its time.

        Raises:
            McpClientError: it failed, or the server is not available.
        """
        return await self.client().call_tool(tool, arguments, timeout=math.inf, progress=progress)

    async def run(self) -> None:
        """Start it, keep it, start it again; until this is cancelled, or it is given up."""
        ends: list[float] = []
        try:
            while True:
                self._report.status(self.name, "starting", None)
                self._starting = True
                prepared = await self._start()
                self._starting = False
                status: Status = "ready" if self.problem is None else "failed"
                self._report.status(self.name, status, self.problem)
                self._settled.set()
                self._report.changed()
                if prepared is None:
                    return
                await self._attend(prepared.client)
                if self._closed:
                    return
                now = anyio.current_time()
                ends = [*(end for end in ends if now - end < RESTART_PERIOD), now]
                if not await self._may_start_again(len(ends)):
                    return
        except anyio.get_cancelled_exc_class():
            if not self.is_settled:
                self._report.status(self.name, "cancelled", None)
            raise
        finally:
            self._settled.set()

    async def aclose(self) -> None:
        """End it, for good."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _may_start_again(self, times: int) -> bool:
        """Whether a server that has ended is to be started again, after a pause."""
        again = times <= len(RESTART_DELAYS)
        self._starting = again
        self._report.status(self.name, "failed", self.problem)
        self._report.changed()
        if not again:
            self._report.warn(
                f"MCP server {self.name!r} has ended {times} times and is not restarted: {self.problem}"
            )
            return False
        self._report.warn(f"MCP server {self.name!r} has ended and is being restarted: {self.problem}")
        await anyio.sleep(RESTART_DELAYS[times - 1])
        return True

    async def _start(self) -> Prepared | None:
        """The opened client; None, and `problem`, if it does not start."""
        try:
            prepared = await self._prepare()
            for warning in prepared.warnings:
                self._report.warn(warning)
            client = prepared.client
            try:
                with anyio.fail_after(self._table.startup_timeout_sec):
                    await client.__aenter__()
                    info = await client.initialize()
                    self.offers = kinds_declared(info.capabilities)
                    self._take(await all_tools(client))
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await client.aclose()
                raise
        except TimeoutError:
            self.problem = f"it was not ready within {self._table.startup_timeout_sec:g} s"
        except McpClientError as error:
            self.problem = _with_hint(str(error), self.name)
        except Exception as error:  # noqa: BLE001 - no server may end the conversation
            _log.warning("MCP server %s failed in an unexpected way", self.name, exc_info=error)
            self.problem = f"{type(error).__name__}: {error}"
        else:
            self._client, self.problem = client, None
            return prepared
        self.tools = []
        return None

    async def _attend(self, client: McpClient) -> None:
        """Follow the changes of its tools; returns, with `problem`, when it has ended."""
        notifications = client.notifications()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_changes, client)
            tasks.start_soon(self._look_again, client)
            async for notification in notifications:
                if (kind := kind_changed(notification.method)) is not None:
                    self._changed.note(kind)
                elif notification.method == "notifications/elicitation/complete":
                    elicitation_id = (notification.params or {}).get("elicitationId")
                    if isinstance(elicitation_id, str):
                        self._report.page_completed(self.name, elicitation_id)
            tasks.cancel_scope.cancel()
        if self._closed:
            return
        try:
            await client.ping(timeout=1)
        except McpClientError as error:
            self.problem = str(error)
        self._client = None
        await client.aclose()

    async def _follow_changes(self, client: McpClient) -> None:
        """List the tools again when the server says that they have changed, and pass on what else has."""
        while True:
            kinds = await self._changed.settled()
            if "tools" in kinds:
                await self._relist(client)
            self._report.offers(self.name, kinds)

    async def _look_again(self, client: McpClient) -> None:
        """List the tools again when they may have changed although the server has not said so."""
        while True:
            await next_look(client)
            await self._relist(client)

    async def _relist(self, client: McpClient) -> None:
        try:
            with anyio.fail_after(self._table.startup_timeout_sec):
                listing = await all_tools(client)
        except ClientClosed:
            await anyio.sleep_forever()  # until whoever closed it ends this
        except (McpClientError, TimeoutError) as error:
            _log.warning("MCP server %s does not list its tools: %s", self.name, error)
        else:
            self._take(listing)
            self._report.changed()

    def _take(self, listing: Listing) -> None:
        self.tools = [tool for tool in listing.tools if _is_enabled(tool.name, self._table)]
        for problem in listing.problems:
            self._report.warn(f"MCP server {self.name!r}: {problem}")


def _with_hint(problem: str, name: str) -> str:
    """`problem`, and what to do where the way servers are started is a likely cause."""
    if "HTTP status 401" in problem:
        return f"{problem}: sign in with code mcp login {name}, or configure a token"
    if "ModuleNotFoundError" not in problem:
        return problem
    return (
        f"{problem}\nIf it imports modules from its own directory: servers start with {SAFE_PATH}=1; "
        f'set mcp_servers.{name}.env.{SAFE_PATH} to "" if you trust that directory'
    )


def _is_enabled(tool: str, table: McpServerTable) -> bool:
    return tool not in table.disabled_tools and (table.enabled_tools is None or tool in table.enabled_tools)
