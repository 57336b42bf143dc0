"""Servers that die, change or are slow during a conversation."""

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.schema.servers import McpServerTable
from code_core.mcp_servers import server as server_module
from code_core.mcp_servers.connections import McpServers
from code_core.mcp_servers.launch import Workplace
from code_core.protocol.policies import ReadOnly
from code_mcp_client import McpClientError
from mcp_client.scripted import ENVIRONMENT, argv

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setattr(server_module, "RESTART_DELAYS", (0.01, 0.02, 0.03))
    for name in ("home", "work"):
        (tmp_path / name).mkdir()
    (tmp_path / "tools").write_text("die\nchange\n")
    return Workplace(tmp_path / "work", tmp_path / "home", ReadOnly(), {})


@asynccontextmanager
async def running(workplace: Workplace, *more: str) -> AsyncIterator[tuple[McpServers, list[Any], list[str]]]:
    """One server, `s`, with its reported states and warnings."""
    statuses: list[Any] = []
    warnings: list[str] = []

    async def decline(name: str, params: Any) -> Any:
        raise AssertionError(name, params)

    table = McpServerTable(
        command=sys.executable,
        args=argv("changes", str(workplace.home.parent), *more),
        env=ENVIRONMENT,
        startup_timeout_sec=10,
    )
    servers = McpServers(
        {"s": table},
        workplace,
        decline,
        lambda name, status, problem: statuses.append((name, status, problem)),
        warnings.append,
    )
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(servers.run)
            try:
                await servers.settled()
                assert servers.failures == {}
                yield servers, statuses, warnings
                tasks.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await servers.aclose()


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - the state of another process
            await anyio.sleep(0.01)


@pytest.mark.parametrize("era", ["handshake", "modern"])
async def test_tools_that_change_are_listed_again(workplace: Workplace, era: str) -> None:
    async with running(workplace, era) as (servers, _, _):
        assert sorted(servers.tools) == ["s__change", "s__die"]
        if era == "modern":
            await anyio.sleep(0.2)  # until it has subscribed, which nothing reports
        await servers.tools["s__change"].host.call_tool("change", {})
        await until(lambda: "s__new" in servers.tools)


async def test_a_server_that_dies_is_restarted_and_calls_do_not_wait_for_it(workplace: Workplace) -> None:
    async with running(workplace) as (servers, statuses, warnings):
        tool = servers.tools["s__die"]
        with pytest.raises(McpClientError, match="told to die"):
            await tool.host.call_tool("die", {})
        begun = time.perf_counter()
        with pytest.raises(McpClientError):
            await tool.host.call_tool("change", {})
        assert time.perf_counter() - begun < 1.5
        await until(lambda: [status for _, status, _ in statuses].count("ready") == 2)
        assert [status for _, status, _ in statuses] == ["starting", "ready", "failed", "starting", "ready"]
        assert "told to die" in statuses[2][2]
        assert "is being restarted" in warnings[0]
        await tool.host.call_tool("change", {})  # of the new process


async def test_a_server_that_keeps_dying_is_not_restarted_forever(workplace: Workplace) -> None:
    async with running(workplace) as (servers, statuses, warnings):
        tool = servers.tools["s__die"]
        for lives in range(1, 5):
            await until(lambda lives=lives: [one for _, one, _ in statuses].count("ready") == lives)  # type: ignore[misc]
            with pytest.raises(McpClientError, match="told to die"):
                await tool.host.call_tool("die", {})
        await until(lambda: any("ended 4 times and is not restarted" in one for one in warnings))
        with pytest.raises(McpClientError, match="is not restarted"):
            await tool.host.call_tool("change", {})
        assert "s" in servers.failures


async def test_a_server_that_cannot_be_restarted_is_a_warning(workplace: Workplace) -> None:
    async with running(workplace) as (servers, statuses, _):
        (workplace.home.parent / "broken").touch()
        with pytest.raises(McpClientError, match="told to die"):
            await servers.tools["s__die"].host.call_tool("die", {})
        await until(lambda: len(statuses) == 5)
        assert statuses[-1][1] == "failed"
        assert "broken since then" in statuses[-1][2]
        assert servers.tools == {}


async def test_closing_does_not_start_anything_again(workplace: Workplace) -> None:
    async with running(workplace) as (servers, statuses, _):
        await servers.aclose()
        await anyio.sleep(0.2)
        assert [status for _, status, _ in statuses] == ["starting", "ready"]
    assert (workplace.home.parent / "starts").read_text().split() == ["started"]
