"""What a conversation reports about its servers, and how long its turns wait for them."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import mcp_types
import pytest

from code_core.config.schema.servers import ClientToolTable, McpServerTable
from code_core.errors import TurnError
from code_core.mcp_servers import connections
from code_core.protocol.events import BackgroundEvent, WarningEvent
from code_core.protocol.mcp_events import (
    McpListToolsResponse,
    McpOffersChanged,
    McpServerStatus,
)
from code_core.protocol.ops import ListMcpTools
from code_core.protocol.policies import ReadOnly
from code_core.session.servers import servers as module
from code_core.session.servers.servers import ConversationServers

TABLES = {"files": McpServerTable(command="files"), "mail": McpServerTable(command="mail", required=True)}


def tool(server: str, name: str) -> Any:
    definition = mcp_types.Tool(name=name, description="does it", input_schema={"type": "object"})
    return SimpleNamespace(server=server, definition=definition)


TOOLS = {"files__read": tool("files", "read"), "mail__read": tool("mail", "read")}


class Servers:
    """Servers that start on demand. See `McpServers`."""

    last: "Servers"

    def __init__(self, *arguments: Any, opens_urls: bool) -> None:
        self.arguments, self.opens_urls = arguments, opens_urls
        self.starting = ["files", "mail"]
        self.failures: dict[str, str] = {}
        self.missing: list[str] = []
        self.warnings = ["files: odd \x1b name"]
        self.tools = TOOLS
        self.all: list[Any] = []
        self.changed = anyio.Event()
        self.running = self.closed = False
        Servers.last = self

    async def run(self) -> None:
        self.running = True
        await anyio.sleep_forever()

    async def settled(self, *, required: bool = False) -> None:
        while self.starting and not (required and "mail" not in self.starting):
            await self.changed.wait()
            self.changed = anyio.Event()

    def started(self, *names: str) -> None:
        self.starting = [name for name in self.starting if name not in names]
        self.changed.set()

    async def aclose(self) -> None:
        self.closed = True


async def nobody(_server: str, _params: object) -> Any:
    raise AssertionError


def completed(server: str, page: str) -> BackgroundEvent | None:
    return BackgroundEvent(message=f"{server} {page}") if page == "known" else None


def conversing(
    script: Callable[[ConversationServers, Servers, list[Any]], Awaitable[None]],
    hidden: Sequence[ClientToolTable] = (),
) -> None:
    """Run `script` with servers that are being connected, and with their reports."""
    events: list[Any] = []

    async def emit(msg: object) -> None:
        events.append(msg)

    async def main() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                servers = ConversationServers(
                    TABLES,
                    Path("/work"),
                    Path("/home"),
                    ReadOnly(),
                    nobody,
                    hidden,
                    opens_urls=True,
                    completed=completed,
                )
                tasks.start_soon(servers.connect, emit, events.append)
                await anyio.wait_all_tasks_blocked()
                await script(servers, Servers.last, events)
                tasks.cancel_scope.cancel()

    anyio.run(main)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "McpServers", Servers)
    monkeypatch.setattr(module, "NOTICED_WAIT", 0.02)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)


def test_a_conversation_without_servers_waits_for_nothing() -> None:
    async def nothing(msg: object) -> None:
        raise AssertionError(msg)

    async def main() -> None:
        servers = ConversationServers({}, Path("/"), Path("/"), ReadOnly(), nobody)
        with anyio.fail_after(5):
            await servers.connect(nothing, lambda msg: pytest.fail(repr(msg)))
            assert await servers.tools(nothing) == []
            assert await servers.client_tool(ClientToolTable(mcp_server="a", tool_name="b")) is None
            assert await servers.answer(ListMcpTools()) == McpListToolsResponse(tools={})
            await servers.aclose()

    anyio.run(main)


def test_servers_get_the_conversations_settings_and_report_through_it() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        tables, workplace, elicit, on_status, on_warning, on_offers, on_page_completed = made.arguments
        assert (tables, elicit, made.opens_urls) == (TABLES, nobody, True)
        assert (workplace.cwd, workplace.home, workplace.policy) == (Path("/work"), Path("/home"), ReadOnly())
        on_status("files", "failed", "why")
        on_offers("files", frozenset({"tools", "prompts"}))
        on_page_completed("files", "known")
        on_page_completed("files", "unknown")
        on_warning("odd \x1b text")
        assert events == [
            McpServerStatus(name="files", status="failed", error="why"),
            McpOffersChanged(server="files", kinds=["prompts", "tools"]),
            completed("files", "known"),
            WarningEvent(message="odd \\x1b text"),
        ]
        assert made.running
        await servers.aclose()
        assert made.closed

    conversing(script)


def test_servers_that_did_not_start_are_warnings_in_order() -> None:
    async def script(_servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.failures = {"mail": "refused", "files": "not found"}
        made.started("mail", "files")
        await anyio.wait_all_tasks_blocked()
        assert [one.message for one in events] == [
            "MCP server 'files' is not available: not found",
            "MCP server 'mail' is not available: refused",
            "files: odd \\x1b name",
        ]

    conversing(script)


def reported(events: list[Any]) -> list[str]:
    return [one.message for one in events if isinstance(one, BackgroundEvent)]


async def names(servers: ConversationServers, events: list[Any]) -> list[str]:
    async def emit(msg: object) -> None:
        events.append(msg)

    return [one.name for one in await servers.tools(emit)]


def test_a_turn_has_the_tools_of_started_servers_except_hidden_ones() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.started("files", "mail")
        assert await names(servers, events) == ["files__read"]
        assert reported(events) == []

    conversing(script, [ClientToolTable(mcp_server="mail", tool_name="read")])


def test_tools_are_rebuilt_only_if_the_servers_tools_have_changed() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        async def emit(msg: object) -> None:
            events.append(msg)

        made.started("files", "mail")
        first, again = await servers.tools(emit), await servers.tools(emit)
        assert [one is other for one, other in zip(first, again, strict=True)] == [True, True]
        made.tools = {"files__write": tool("files", "write")}
        assert await names(servers, events) == ["files__write"]

    conversing(script)


def test_a_turn_does_not_wait_long_for_servers_that_are_not_required() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.started("mail")
        assert await names(servers, events) == ["files__read", "mail__read"]
        assert reported(events) == [
            "waiting for the MCP servers to start: files",
            "this turn continues without MCP servers that are still starting: files",
        ]

    conversing(script)


def test_a_turn_has_the_tools_of_a_server_that_starts_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_WAIT", 2)

    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.started("mail")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(names, servers, events)
            await anyio.sleep(0.1)
            made.started("files")
        assert reported(events) == ["waiting for the MCP servers to start: files"]

    conversing(script)


def test_servers_with_resources_add_the_tools_to_read_them() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.all = [SimpleNamespace(offers={"resources"})]
        made.started("files", "mail")
        assert await names(servers, events) == [
            "files__read",
            "mail__read",
            "list_mcp_resources",
            "list_mcp_resource_templates",
            "read_mcp_resource",
        ]

    conversing(script)


def test_a_turn_waits_for_required_servers_as_long_as_they_need() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(names, servers, events)
            await anyio.sleep(0.2)
            assert reported(events) == ["waiting for the MCP servers to start: files, mail"]
            made.started("mail", "files")
        assert reported(events) == ["waiting for the MCP servers to start: files, mail"]

    conversing(script)


def test_a_short_wait_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOTICED_WAIT", 2)

    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(names, servers, events)
            await anyio.sleep(0.01)
            made.started("mail", "files")
        assert reported(events) == []

    conversing(script)


def test_without_a_required_server_there_is_no_turn() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        made.failures = {"mail": "refused", "files": "not found"}
        made.missing = ["mail"]
        made.started("mail", "files")
        with pytest.raises(TurnError, match=r"^a required MCP server is not available: mail: refused$"):
            await names(servers, events)

    conversing(script)


def test_a_tool_for_the_agent_is_found_by_server_and_name_once_all_have_started() -> None:
    async def script(servers: ConversationServers, made: Servers, events: list[Any]) -> None:
        found: list[Any] = []

        async def find(server: str, name: str) -> None:
            found.append(await servers.client_tool(ClientToolTable(mcp_server=server, tool_name=name)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(find, "mail", "read")
            await anyio.wait_all_tasks_blocked()
            assert found == []
            made.started("files", "mail")
        await find("files", "write")
        await find("none", "read")
        assert found == [TOOLS["mail__read"], None, None]
        listing = await servers.answer(ListMcpTools())
        assert isinstance(listing, McpListToolsResponse)
        assert [*listing.tools] == ["files__read", "mail__read"]
        assert reported(events) == []

    conversing(script)


@pytest.mark.parametrize("asks", ["tools", "client_tool", "answer"])
def test_an_early_query_waits_for_the_servers_to_begin(monkeypatch: pytest.MonkeyPatch, asks: str) -> None:
    monkeypatch.setattr(module, "NOTICED_WAIT", 2)

    async def ignore(_msg: object) -> None:
        pass

    asked = {"tools": ignore, "client_tool": ClientToolTable(mcp_server="mail", tool_name="read")}

    async def main() -> None:
        servers = ConversationServers(TABLES, Path("/"), Path("/"), ReadOnly(), nobody)
        done: list[Any] = []

        async def ask() -> None:
            done.append(await getattr(servers, asks)(asked.get(asks, ListMcpTools())))

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(servers.connect, ignore, lambda _msg: None)
                await anyio.wait_all_tasks_blocked()
                assert done == []
                Servers.last.started("files", "mail")
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()
        [found] = done
        if asks == "client_tool":
            assert found is TOOLS["mail__read"]
        else:
            assert len(found if asks == "tools" else found.tools) == 2

    anyio.run(main)
