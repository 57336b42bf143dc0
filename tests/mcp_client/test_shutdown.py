import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import psutil
import pytest

from code_mcp_client import ClientClosed, McpClient, ServerExited
from mcp_client.scripted import ENVIRONMENT, call, scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


async def test_a_well_behaved_server_ends_when_its_stdin_closes() -> None:
    async with scripted("echo") as client:
        pid = int(await call(client, "pid"))
        started = time.monotonic()
    assert time.monotonic() - started < 1.5
    assert not runs(pid)


async def test_a_server_that_does_not_exit_is_terminated(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    async with scripted("stubborn", str(marker)) as client:
        await client.initialize()
    assert marker.read_text() == "terminated"


@pytest.mark.slow
async def test_servers_that_ignore_everything_are_killed_concurrently() -> None:
    clients = [scripted("stubborn", "ignore-term") for _ in range(3)]
    for client in clients:
        await client.__aenter__()
        await client.initialize()
    started = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for client in clients:
            tasks.start_soon(client.aclose)
    assert 4 <= time.monotonic() - started < 6


async def test_descendants_are_ended_wherever_they_went() -> None:
    async with scripted("parent") as client:
        children = [int(pid) for pid in (await call(client, "children")).split()]
        assert len(children) == 5
        assert all(map(runs, children))
    assert not any(map(runs, children))


async def test_after_a_crash_descendants_are_found_by_their_mark() -> None:
    async with scripted("parent") as client:
        children = [int(pid) for pid in (await call(client, "children")).split()]
        with pytest.raises(Exception, match="status 7"):
            await client.call_tool("crash")
    assert not any(map(runs, children))


async def test_clients_close_in_any_order_and_from_any_task() -> None:
    first, second, third = (scripted("echo") for _ in range(3))
    async with anyio.create_task_group() as tasks:
        for client in (first, second, third):
            tasks.start_soon(client.__aenter__)
    for client in (first, second, third):
        await client.initialize()
    await first.aclose()
    assert await call(third, "echo", n=3) == '{"n": 3}'
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(third.aclose)
        tasks.start_soon(third.aclose)
    await second.ping()
    await second.aclose()


async def test_closing_fails_the_calls_that_wait() -> None:
    client = await scripted("echo").__aenter__()
    failed = anyio.Event()

    async def wait() -> None:
        with pytest.raises(ClientClosed):
            await client.call_tool("silent")
        failed.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await client.ping()
        await client.aclose()
        await failed.wait()


async def test_a_cancelled_block_ends_its_server_too() -> None:
    pids: list[int] = []

    async def use() -> None:
        async with scripted("echo") as client:
            pids.append(int(await call(client, "pid")))
            tasks.cancel_scope.cancel()
            await client.call_tool("silent")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use)
    assert not runs(pids[0])


async def test_an_error_in_the_block_passes_through() -> None:
    async def use() -> None:
        async with scripted("echo") as client:
            await client.ping()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await use()


async def test_a_server_that_is_writing_when_it_is_closed_can_finish() -> None:
    async with scripted("echo") as client:
        with anyio.move_on_after(0.1):
            await client.call_tool("big", {"size": 50_000_000})
        started = time.monotonic()
    assert time.monotonic() - started < 1.5


OWNER = """
import asyncio, sys
from mcp_client.scripted import call, scripted

async def main():
    client = await scripted(*sys.argv[1:]).__aenter__()
    await client.initialize()
    from code_mcp_client.server_process import ServerProcess
    import gc
    server = [each.pid for each in gc.get_objects() if isinstance(each, ServerProcess)][0]
    print(server, await call(client, "children") if sys.argv[1] == "parent" else "", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def started_by_another_process(*script: str) -> tuple["subprocess.Popen[str]", list[int]]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, *script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    assert owner.stdout is not None
    return owner, [int(pid) for pid in owner.stdout.readline().split()]


async def until_ended(pids: list[int]) -> None:
    with anyio.fail_after(30):
        while any(map(runs, pids)):  # noqa: ASYNC110 - nothing signals the end of a stranger's child
            await anyio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
async def test_the_death_of_this_process_ends_a_server_that_ignores_everything(how: signal.Signals) -> None:
    owner, server = started_by_another_process("stubborn", "ignore-term")
    with owner:
        assert all(map(runs, server))
        owner.send_signal(how)
        if how == signal.SIGKILL:
            owner.wait()
    await until_ended(server)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT])
async def test_the_death_of_this_process_ends_the_descendants_wherever_they_went(how: signal.Signals) -> None:
    owner, family = started_by_another_process("parent")
    with owner:
        assert len(family) == 6
        assert all(map(runs, family))
        owner.send_signal(how)
        owner.wait()
    await until_ended(family)


async def test_a_program_that_is_not_a_server_is_closed_like_one() -> None:
    async with McpClient.stdio("true") as client:
        with pytest.raises(ServerExited, match="status 0"):
            await client.initialize()
