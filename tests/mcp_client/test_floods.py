"""A server that sends more than anyone takes."""

import logging

import anyio
import mcp_types
import pytest

from code_mcp_client import ClientCallbacks
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

LOG = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":NUMBER}}\n'
GOOD = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"good"}]}}\n'


async def test_a_stuck_callback_does_not_stop_the_answers_and_the_oldest_notifications_go(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = anyio.Event()
    handled: list[object] = []

    async def stuck(params: mcp_types.LoggingMessageNotificationParams) -> None:
        await release.wait()
        handled.append(params.data)

    written = "".join(LOG.replace("NUMBER", str(n)) for n in range(3000))
    with caplog.at_level(logging.WARNING, "code_mcp_client"):
        async with scripted("echo", callbacks=ClientCallbacks(logging=stuck)) as client:
            assert await call(client, "raw", bytes=written + GOOD) == "good"
            release.set()
            while not handled or handled[-1] != 2999:
                await client.ping()
    assert handled[-1000:] == list(range(2000, 3000))
    assert len(handled) < 1100
    assert "dropped" in caplog.text


async def test_a_slow_listener_loses_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted("echo") as client:
        slow = client.notifications()
        await call(client, "notify", count=12_000)
        await client.ping()
    numbers = [each.params["n"] async for each in slow if each.params]
    assert numbers == list(range(2000, 12_000))


async def test_a_flood_of_noise_does_not_keep_the_loop_from_other_work() -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.001)
            turns += 1

    async with scripted("echo", buffer_capacity="4KiB") as client, anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        assert len(await call(client, "big", size=64 * 2**20)) == 64 * 2**20
        tasks.cancel_scope.cancel()
    assert turns > 20
