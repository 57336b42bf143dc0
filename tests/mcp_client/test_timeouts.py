import json
import math
import time

import anyio
import pytest

from code_mcp_client import McpClient, McpClientConfig, RequestTimedOut, ServerStartError
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


async def test_a_call_that_takes_too_long_is_cancelled_at_the_server() -> None:
    async with scripted("cancels") as client:
        with pytest.raises(RequestTimedOut, match=r"tools/call: .* within 0\.05 s"):
            await client.call_tool("wait", timeout=0.05)
        [cancelled] = json.loads(await call(client, "cancelled"))
    assert cancelled["requestId"] == 1
    assert "within 0.05 s" in cancelled["reason"]


async def test_the_configured_timeout_applies_and_can_be_disabled() -> None:
    async with scripted("echo", config=McpClientConfig(tool_timeout=0.2)) as client:
        with pytest.raises(TimeoutError):
            await client.call_tool("silent")
        result = await client.call_tool("slow", {"seconds": 0.4}, timeout=math.inf)
        assert not result.is_error


async def test_a_caller_that_gives_up_cancels_at_the_server() -> None:
    async with scripted("cancels") as client:
        heard = client.notifications()

        async def wait() -> None:
            await client.call_tool("wait")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anext(heard)
            tasks.cancel_scope.cancel()
        [cancelled] = json.loads(await call(client, "cancelled"))
    assert cancelled["requestId"] == 1


async def test_initialize_is_never_cancelled_at_the_server() -> None:
    config = McpClientConfig(startup_timeout=0.3)
    async with scripted("deaf_from_start", config=config) as client:
        with pytest.raises(RequestTimedOut):
            await client.initialize()


@pytest.mark.parametrize("size", [10, 5_000_000], ids=["small", "more than a pipe holds"])
async def test_the_timeout_bounds_the_write_to_a_server_that_does_not_read(size: int) -> None:
    async with scripted("deaf") as client:
        await client.initialize()
        started = time.monotonic()
        for _ in range(3):
            with pytest.raises(RequestTimedOut):
                await client.call_tool("echo", {"x": "x" * size}, timeout=0.1)
        assert time.monotonic() - started < 3


async def test_a_server_that_starts_reading_late_gets_complete_lines() -> None:
    async with scripted("late") as client:
        await client.initialize()
        with pytest.raises(RequestTimedOut):
            await client.call_tool("echo", {"x": "x" * 3_000_000}, timeout=0.05)
        assert await call(client, "count") == "2"


async def test_a_cancelled_start_leaves_no_process() -> None:
    with anyio.move_on_after(0.001):
        async with scripted("echo") as client:
            await anyio.sleep_forever()
            del client


async def test_a_start_that_takes_too_long_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(anyio, "open_process", hang)
    with pytest.raises(ServerStartError, match=r"did not start within 0\.05 s"):
        await McpClient.stdio("true", config=McpClientConfig(startup_timeout=0.05)).__aenter__()
