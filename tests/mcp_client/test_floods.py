"""A server that floods its client."""

import asyncio
import gc
import logging
import sys
import time
from typing import Any

import anyio
import anyio.lowlevel
import mcp_types
import pytest

from code_mcp_client import ClientCallbacks, MalformedMessage, McpClientConfig, NoisyServer
from code_mcp_client.family import ProcessFamily
from code_mcp_client.inbound import ServerRequests
from code_mcp_client.messages import Request
from mcp_client.scripted import call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

LOG = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":NUMBER}}\n'
GOOD = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"good"}]}}\n'


async def test_a_stuck_callback_does_not_stop_answers_and_drops_the_oldest_notifications(
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


async def test_a_flood_of_noise_does_not_block_the_event_loop() -> None:
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


class Ticks:
    """The longest time for which the loop was blocked."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def count(self) -> None:
        last = time.perf_counter()
        while True:
            await anyio.sleep(0.001)
            now = time.perf_counter()
            self.longest, last = max(self.longest, now - last), now


@pytest.mark.parametrize(
    "line",
    [
        *(
            "x\\n",
            "\\n",
            " \\n",
            "1\\n",
            '{"a":1}\\n',
            "{\\n",
            "DEBUG: something happened\\n",
            "{" * 400 + "\\n",
        ),
        *('{"jsonrpc":"2.0","id":9,"result":{}}\\n', '{"jsonrpc":"2.0","id":7,"result":\\n', "no end"),
    ],
)
async def test_a_server_that_floods_its_output_with_noise_is_closed(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("code_mcp_client.dispatcher._MOST_UNFINISHED", 1_000_000)
    ticks = Ticks()
    config = McpClientConfig(max_message_bytes=100_000, startup_timeout=20)
    async with anyio.create_task_group() as tasks:
        async with scripted("floods", line, config=config) as client:
            tasks.start_soon(ticks.count)
            before = time.process_time()
            with pytest.raises((NoisyServer, MalformedMessage)) as caught:
                await client.initialize()
            if caught.type is MalformedMessage:  # it might have been the answer
                with pytest.raises(NoisyServer) as caught:
                    await client.ping()
            spent = time.process_time() - before
        tasks.cancel_scope.cancel()
    assert repr(sys.executable) in str(caught.value)
    assert spent < 2
    assert ticks.longest < 2  # on a busy machine


async def test_a_flooding_server_is_closed_without_a_second_error() -> None:
    async with scripted("noisy") as client:
        with pytest.raises(NoisyServer):
            await client.initialize()


async def test_a_server_that_occasionally_logs_to_its_output_keeps_working(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with scripted("echo") as client:
        for _ in range(3):
            assert await call(client, "raw", bytes="log\n" * 1_500 + GOOD) == "good"
    assert caplog.text.count("other than an MCP message") < 20


async def test_searching_for_descendants_does_not_block_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look = ProcessFamily.look

    def slow(family: ProcessFamily) -> None:
        time.sleep(0.2)
        look(family)

    monkeypatch.setattr(ProcessFamily, "look", slow)
    ticks = Ticks()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ticks.count)
        async with scripted("echo") as client:
            await client.ping()
        tasks.cancel_scope.cancel()
    assert ticks.longest < 0.15


async def test_many_small_messages_let_other_tasks_run() -> None:
    turns: list[float] = []

    async def count() -> None:
        last = time.thread_time()  # CPU time, so that a busy machine makes no difference
        while True:
            await anyio.lowlevel.checkpoint()
            now = time.thread_time()
            turns.append(now - last)
            last = now

    message = '{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}\\n'
    gc.freeze()  # what other tests left behind takes long to walk
    async with anyio.create_task_group() as tasks:
        async with scripted("floods", message) as client:
            notifications = client.notifications()
            tasks.start_soon(count)
            for _ in range(20_000):
                await anext(notifications)
        tasks.cancel_scope.cancel()
    gc.unfreeze()
    assert max(turns) < 0.03


class StuckWriter:
    """Never accepts a complete line."""

    has_room = False

    async def send(self, line: bytes) -> None:
        del line
        await anyio.sleep_forever()

    def send_nowait(self, line: bytes) -> None:
        raise AssertionError(line)


async def test_a_server_that_sends_requests_without_reading_answers_does_not_pile_up_tasks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(*_: object) -> dict[str, object]:
        return {}

    outbound: Any = None
    requests = ServerRequests(outbound, StuckWriter())
    before = len(asyncio.all_tasks())
    async with anyio.create_task_group() as tasks:
        for number in range(1_000):
            requests.accept(Request(number, "ping", None), handler, tasks)
            if number % 10 == 0:
                await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
        assert len(asyncio.all_tasks()) - before == 64
        tasks.cancel_scope.cancel()
    assert "does not read the answers: 512 not sent" in caplog.text
