"""A server that ends unexpectedly."""

import signal
import time

import anyio
import pytest

from code_mcp_client import McpClient, McpClientError, ServerExited
from mcp_client.scripted import scripted

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.mark.parametrize(
    ("how", "code", "text"),
    [
        ({"code": 3}, 3, "exited with status 3"),
        ({"code": 0}, 0, "exited with status 0"),
        ({"signal": int(signal.SIGSEGV)}, -11, "was ended by signal 11"),
    ],
)
async def test_a_crash_fails_every_waiting_call_with_the_status_and_the_stderr(
    how: dict[str, int], code: int, text: str
) -> None:
    errors: list[tuple[float, McpClientError]] = []

    async def wait(client: McpClient, tool: str, arguments: dict[str, int]) -> None:
        try:
            await client.call_tool(tool, arguments)
        except ServerExited as error:
            errors.append((time.perf_counter(), error))

    async with scripted("echo") as client, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(wait, client, "silent", {})
        await client.ping()
        start = time.perf_counter()
        tasks.start_soon(wait, client, "crash", how)
    assert len(errors) == 4
    assert len({id(error) for _, error in errors}) == 4
    for moment, error in errors:
        assert isinstance(error, ServerExited)
        assert error.code == code
        assert error.stderr_tail.endswith("about to crash")
        assert text in str(error)
        assert "about to crash" in str(error)
        assert moment - start < 1


async def test_a_crash_is_known_within_fifty_milliseconds() -> None:
    async def seconds_until_known() -> float:
        async with scripted("echo") as client:
            await client.ping()
            start = time.perf_counter()
            with pytest.raises(ServerExited):
                await client.call_tool("crash", {"code": 1})
            return time.perf_counter() - start

    assert min([await seconds_until_known() for _ in range(5)]) < 0.05


async def test_two_megabytes_of_stderr_neither_block_nor_stay_in_memory() -> None:
    async with scripted("echo") as client:
        with pytest.raises(ServerExited) as caught:
            await client.call_tool("crash", {"code": 1, "stderr": 2 * 2**20})
    assert caught.value.stderr_tail.endswith("x\nabout to crash")
    assert 10_000 < len(caught.value.stderr_tail) <= 16 * 1024


async def test_requests_after_the_crash_fail_the_same_way() -> None:
    async with scripted("echo") as client:
        with pytest.raises(ServerExited):
            await client.call_tool("crash", {"code": 9})
        with pytest.raises(ServerExited, match="status 9"):
            await client.ping()
        await client.send_notification("notifications/cancelled", {"requestId": 1})


async def test_a_grandchild_that_holds_the_output_does_not_hide_the_crash() -> None:
    async with scripted("parent") as client:
        with anyio.fail_after(5), pytest.raises(ServerExited, match="status 7"):
            await client.call_tool("crash")


async def test_an_early_exit_is_noticed_even_if_a_grandchild_holds_the_output() -> None:
    command = "sleep 30 & exit 4"
    async with McpClient.stdio("sh", ["-c", command]) as client:
        await anyio.sleep(0.05)
        with anyio.fail_after(5), pytest.raises(ServerExited, match="status 4"):
            await client.ping()


async def test_closing_only_one_side_is_an_end_too() -> None:
    async with scripted("closes", "stdout") as client:
        with pytest.raises(ServerExited, match="closed its output but still runs"):
            await client.ping()


async def test_a_server_that_closes_its_stdin_fails_the_request() -> None:
    async with scripted("closes", "stdin") as client:
        heard = client.notifications()
        await anext(heard)
        with pytest.raises(McpClientError, match="closed its stdin"):
            await client.ping()
