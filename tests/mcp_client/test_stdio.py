import gc
import hashlib
import json
import sys
import tracemalloc

import anyio
import mcp_types
import pytest

from code_mcp_client import (
    ClientClosed,
    InvalidResult,
    McpClient,
    McpClientConfig,
    Notification,
    RequestFailed,
    create_large_response_client,
)
from mcp_client.scripted import ENVIRONMENT, argv, call, scripted, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

BLOCK = b"0123456789abcdef" * 4096


def expected_hash(size: int) -> str:
    digest = hashlib.sha256()
    for _ in range(size // len(BLOCK)):
        digest.update(BLOCK)
    digest.update(BLOCK[: size % len(BLOCK)])
    return digest.hexdigest()


async def test_a_server_is_initialized_once_and_answers() -> None:
    async with scripted("echo") as client:
        first = await client.initialize()
        assert first.server_info.name == "scripted"
        assert first.protocol_version == "2025-11-25"
        assert await client.initialize() is first
        await client.ping()
        assert (await client.list_tools()).tools == []
        assert json.loads(await call(client, "echo", a=[1, "zwei", None])) == {"a": [1, "zwei", None]}


@pytest.mark.parametrize("size", [2 * 2**20, 16 * 2**20 + 1, 64 * 2**20])
@pytest.mark.parametrize("capacity", ["4KiB", None, "1MiB"])
async def test_a_large_answer_arrives_completely(size: int, capacity: str | None) -> None:
    async with scripted("echo", buffer_capacity=capacity) as client:
        text = await call(client, "big", size=size)
    assert len(text) == size
    assert hashlib.sha256(text.encode()).hexdigest() == expected_hash(size)


async def test_a_large_structured_answer_arrives_completely() -> None:
    async with scripted("echo") as client:
        result = await client.call_tool("structured", {"rows": 50_000})
    rows = result.structured_content["rows"]
    assert len(rows) == 50_000
    assert rows[49_999] == {"row": 49_999, "name": "name 49999", "ok": False}


async def test_an_answer_is_freed_once_its_reader_drops_it() -> None:
    async with scripted("echo") as client:
        await call(client, "big", size=1000)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            result = await client.call_tool("big", {"size": 8 * 2**20})
            held, peak = tracemalloc.get_traced_memory()
            del result
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert held - before < 9 * 2**20
    assert peak - before < 20 * 2**20
    assert after - before < 2**20


async def test_the_constructors_of_the_rust_client_return_started_clients() -> None:
    program, args = sys.executable, argv("echo")
    config = McpClientConfig(buffer_capacity=8192)
    for client in (
        await McpClient.new_stdio_client(program, args, ENVIRONMENT),
        await McpClient.new_stdio_client_with_config(program, args, ENVIRONMENT, config),
        await create_large_response_client(program, args, ENVIRONMENT),
    ):
        try:
            await client.initialize()
            assert len(await call(client, "big", size=100_000)) == 100_000
        finally:
            await client.aclose()


async def test_notifications_arrive_in_wire_order_including_unknown_methods() -> None:
    async with scripted("echo") as client:
        heard = client.notifications()
        await call(client, "notify", count=500)
        assert [await anext(heard) for _ in range(500)] == [
            Notification("custom/event", {"n": n}) for n in range(500)
        ]
    assert [each async for each in heard] == []


async def test_calls_in_flight_get_their_own_answers() -> None:
    answers: dict[int, str] = {}

    async def one(client: McpClient, number: int) -> None:
        answers[number] = await call(client, "echo", number=number)

    async with scripted("echo") as client, anyio.create_task_group() as tasks:
        for number in range(64):
            tasks.start_soon(one, client, number)
        while len(answers) < 64:
            await client.ping()
    assert {number: json.loads(text)["number"] for number, text in answers.items()} == {
        n: n for n in range(64)
    }


async def test_progress_reaches_the_call_that_asked_for_it() -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with scripted("echo") as client:
        result = await client.call_tool("progress", {}, progress=note)
        await client.ping()
    assert text_of(result) == "done"
    assert sorted(seen) == [(0, 3, None), (1, 3, None), (2, 3, None)]


async def test_raw_requests_and_notifications_work() -> None:
    async with scripted("cancels") as client:
        await client.send_notification("notifications/cancelled", {"requestId": 5})
        result = await client.send_request("tools/call", {"name": "cancelled"})
    assert json.loads(result["content"][0]["text"]) == [{"requestId": 5}]


async def test_an_error_of_the_server_keeps_its_code() -> None:
    async with scripted("echo") as client:
        raw = '{"jsonrpc":"2.0","id":ID,"error":{"code":-32602,"message":"no such thing","data":{"x":1}}}\n'
        with pytest.raises(RequestFailed, match="tools/call failed: no such thing") as caught:
            await client.call_tool("raw", {"bytes": raw})
    assert caught.value.code == -32602
    assert caught.value.data == {"x": 1}


async def test_an_invalid_result_is_rejected() -> None:
    async with scripted("echo") as client:
        with pytest.raises(InvalidResult, match="tools/call"):
            await client.call_tool(
                "raw", {"bytes": '{"jsonrpc":"2.0","id":ID,"result":{"content":[],"resultType":7}}\n'}
            )


async def test_an_unknown_protocol_version_is_rejected() -> None:
    async with scripted("echo", config=McpClientConfig(protocol_version="1999-12-31")) as client:
        with pytest.raises(InvalidResult, match="wants protocol version '1999-12-31'"):
            await client.initialize()


async def test_a_closed_client_raises_an_error() -> None:
    client = scripted("echo")
    with pytest.raises(ClientClosed):
        await client.ping()
    async with client:
        pass
    with pytest.raises(ClientClosed):
        await client.ping()
    with pytest.raises(ClientClosed, match="opened only once"):
        await client.__aenter__()
    await client.aclose()


async def test_results_are_the_sdks_models() -> None:
    async with scripted("echo") as client:
        assert isinstance(await client.call_tool("echo"), mcp_types.CallToolResult)
        assert (await client.session.send_ping()) == mcp_types.EmptyResult()
