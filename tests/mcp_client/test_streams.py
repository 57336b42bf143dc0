"""The transport without POSIX pipes, as far as it can be tested on a system that has them."""

import json
import time

import pytest

import code_mcp_client.connect
from code_mcp_client import McpClient, RequestTimedOut, ServerExited, ServerNotFound
from code_mcp_client.stream_server import streamed_server
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left", "streams")]


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_mcp_client.connect, "running_server", streamed_server)


async def test_a_server_answers_and_ends() -> None:
    async with scripted("echo") as client:
        await client.initialize()
        assert json.loads(await call(client, "echo", a=1)) == {"a": 1}
        heard = client.notifications()
        await call(client, "notify", count=100)
        assert [(await anext(heard)).params for _ in range(100)] == [{"n": n} for n in range(100)]
        started = time.monotonic()
    assert time.monotonic() - started < 1.5


async def test_a_large_answer_arrives_completely() -> None:
    async with scripted("echo") as client:
        assert len(await call(client, "big", size=16 * 2**20)) == 16 * 2**20


async def test_a_crash_reports_the_status_and_stderr() -> None:
    async with scripted("echo") as client:
        with pytest.raises(ServerExited, match="about to crash") as caught:
            await client.call_tool("crash", {"code": 3, "stderr": 200_000})
    assert caught.value.code == 3
    assert len(caught.value.stderr_tail) <= 16 * 1024


async def test_a_server_that_does_not_read_times_out_and_is_ended() -> None:
    async with scripted("deaf") as client:
        await client.initialize()
        for _ in range(2):
            with pytest.raises(RequestTimedOut):
                await client.call_tool("echo", {"x": "x" * 3_000_000}, timeout=0.1)


async def test_a_server_that_reads_late_gets_complete_lines() -> None:
    async with scripted("late") as client:
        await client.initialize()
        with pytest.raises(RequestTimedOut):
            await client.call_tool("echo", {"x": "x" * 3_000_000}, timeout=0.05)
        assert await call(client, "count") == "2"


async def test_descendants_are_ended() -> None:
    async with scripted("parent") as client:
        await call(client, "children")


async def test_a_missing_program_is_named() -> None:
    with pytest.raises(ServerNotFound, match="no-such-server"):
        await McpClient.stdio("no-such-server").__aenter__()
