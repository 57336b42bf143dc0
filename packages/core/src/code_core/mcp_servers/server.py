"""One configured server during a conversation: started, listed, and restarted when it ends.

Nothing here delays a turn. A server that ends is restarted in the background, at most three times
in five minutes; calls fail immediately in the meantime.
"""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import anyio

from code_core.config.schema.servers import McpServerTable
from code_core.frozen import frozen
from code_core.mcp_servers.changes import Changes, Kind, kind_changed, kinds_declared
from code_core.mcp_servers.launch import SAFE_PATH, Prepared
from code_core.mcp_servers.listing import Listing, all_tools, next_look
from code_core.mcp_servers.time_limit import TimeLimit
from code_mcp_client import ClientClosed, McpClient, McpClientError

if TYPE_CHECKING:
    import mcp_types

_log = logging.getLogger("code_core")

RESTART_DELAYS = (0.5, 2.0, 5.0)
"""Delay before each restart of a server that has ended."""
RESTART_PERIOD = 300.0
"""Period to which the number of restarts is limited."""

Status = Literal["starting", "ready", "failed", "cancelled"]
OnStatus = Callable[[str, Status, str | None], None]
"""Receives a server's name, status, and the reason for a failure."""
OnOffers = Callable[[str, frozenset[Kind]], None]
Prepare = Callable[[], Awaitable[Prepared]]


@frozen
class Report:
    """Callbacks through which a server reports.

    Attributes:
        status: receives its status.
        changed: called when its tools or its availability change.
        offers: receives its name and the kinds that it reports as changed.
        page_completed: receives its name and the id of an elicitation whose page is completed.
        warn: receives further warnings for the user.
    """

    status: OnStatus
    changed: Callable[[], None]
    offers: OnOffers
    page_completed: Callable[[str, str], None]
    warn: Callable[[str], None]


class Server:
    """A server of a conversation.

    Args:
        name: the server's name in the settings.
        table: the server's settings.
        prepare: creates a client that is not open yet.
        report: callbacks for its status.

    Attributes:
        tools: its enabled tools; the previous ones during a restart.
        offers: the kinds that it declares.
        problem: why it is not available, or None.
        limit: the time limit for its tools.
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
        """Whether the first start has succeeded or failed."""
        return self._settled.is_set()

    async def settled(self) -> None:
        """Wait until the first start has succeeded or failed."""
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
        """Call a tool; the caller limits the time.

        Raises:
            McpClientError: the call failed, or the server is not available.
        """
        return await self.client().call_tool(tool, arguments, timeout=math.inf, progress=progress)

    async def run(self) -> None:
        """Start the server and restart it as needed, until cancelled or out of restarts."""
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
        """Stop the server for good."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _may_start_again(self, times: int) -> bool:
        """Pause, then return whether a server that has ended should be restarted."""
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
        """Open the client; on failure return None and set `problem`."""
        try:
            prepared = await self._prepare()
            for warning in prepared.warnings:
                self._report.warn(warning)
            client = prepared.client
            try:
                with anyio.fail_after(self._table.startup_timeout):
                    await client.__aenter__()
                    info = await client.initialize()
                    self.offers = kinds_declared(info.capabilities)
                    self._take(await all_tools(client))
            except BaseException:
                with anyio.CancelScope(shield=True):
                    await client.aclose()
                raise
        except TimeoutError:
            self.problem = f"it was not ready within {self._table.startup_timeout:g} s"
        except McpClientError as error:
            self.problem = _with_hint(str(error), self.name)
        except Exception as error:  # noqa: BLE001 - no server may end the conversation
            _log.warning("MCP server %s failed unexpectedly", self.name, exc_info=error)
            self.problem = f"{type(error).__name__}: {error}"
        else:
            self._client, self.problem = client, None
            return prepared
        self.tools = []
        return None

    async def _attend(self, client: McpClient) -> None:
        """Follow changes of its tools; returns, with `problem` set, when the server has ended."""
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
        """List the tools again when the server announces a change, and pass on other changes."""
        while True:
            kinds = await self._changed.settled()
            if "tools" in kinds:
                await self._relist(client)
            self._report.offers(self.name, kinds)

    async def _look_again(self, client: McpClient) -> None:
        """List the tools again when they may have changed without a notification."""
        while True:
            await next_look(client)
            await self._relist(client)

    async def _relist(self, client: McpClient) -> None:
        try:
            with anyio.fail_after(self._table.startup_timeout):
                listing = await all_tools(client)
        except ClientClosed:
            await anyio.sleep_forever()  # until cancelled by whoever closed the client
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
    """`problem`, with advice if the way servers are started is a likely cause."""
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
