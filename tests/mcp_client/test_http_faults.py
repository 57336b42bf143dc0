"""One connection that fails takes down one request, whenever it fails and however many are in flight."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import anyio
import httpx2
import mcp_types as types
import pytest

from code_mcp_client import ClientCallbacks, ConnectionLost, McpClient, McpClientConfig
from code_mcp_client.http_failures import reason_of
from mcp_client.resetting_server import Fate, Resetting, reset, resetting_server, until
from mcp_client.scripted import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]

FATES: list[Fate] = ["reset", "reset in the head", "reset in the body", "reset in the events"]
LEGACY = McpClientConfig(protocol_version="2025-11-25")


@pytest.fixture
async def server(nothing_left: None) -> AsyncIterator[Resetting]:
    async with resetting_server() as script:
        yield script


async def outcomes(client: McpClient, calls: int) -> dict[str, str]:
    """The results of concurrent calls: the tool's name, or the error."""
    found: dict[str, str] = {}

    async def call(name: str) -> None:
        try:
            found[name] = text_of(await client.call_tool(name, {}))
        except ConnectionLost as error:
            found[name] = str(error)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            for number in range(calls):
                tasks.start_soon(call, f"tool-{number}")
    return found


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("calls", [1, 20, 100])
async def test_a_reset_connection_fails_only_its_own_call(server: Resetting, calls: int, fate: Fate) -> None:
    victims = {f"tool-{number}" for number in range(0, calls, 7)}
    async with McpClient.http(server.url, config=LEGACY) as client:
        await client.initialize()
        server.fates = dict.fromkeys(victims, fate)
        server.hold = calls
        found = await outcomes(client, calls)
        server.fates, server.hold = {}, 0
        assert text_of(await client.call_tool("another", {})) == "another"
    for name, outcome in found.items():
        if name in victims:
            assert outcome.startswith(f"tools/call: no answer from MCP server {server.url}: ")
            assert outcome.endswith("; the tool may have run")
        else:
            assert outcome == name
    assert [name for name in found if server.arrived[name] != 1] == []
    assert server.arrived["initialize"] == 1


@pytest.mark.parametrize("fate", FATES)
async def test_a_read_is_sent_again_if_its_connection_is_reset(server: Resetting, fate: Fate) -> None:
    async with McpClient.http(server.url, config=LEGACY) as client:
        await client.initialize()
        server.fates["tools/list"] = fate
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.list_tools)
            await until(lambda: server.arrived["tools/list"] >= 2)
            del server.fates["tools/list"]
    assert server.arrived["tools/list"] == 3
    assert server.arrived["initialize"] == 1


async def test_a_tool_call_that_was_certainly_not_sent_is_tried_again() -> None:
    found: list[str] = []

    async def call(client: McpClient) -> None:
        found.append(text_of(await client.call_tool("tool", {})))

    async with AsyncExitStack() as first:
        script = await first.enter_async_context(resetting_server())
        async with McpClient.http(script.url, config=LEGACY) as client, anyio.create_task_group() as tasks:
            await client.initialize()
            await first.aclose()
            tasks.start_soon(call, client)
            await anyio.sleep(0.25)  # the first two attempts are refused
            async with resetting_server(script.port) as second:
                with anyio.fail_after(5):
                    await until(lambda: bool(found))
                assert second.arrived["tool"] == 1
    assert found == ["tool"]


async def test_a_lost_or_unaccepted_notification_delays_nothing(server: Resetting) -> None:
    async with McpClient.http(server.url, config=LEGACY) as client:
        await client.initialize()
        server.fates["notifications/roots/list_changed"] = "hang"
        for _ in range(20):
            await client.send_notification("notifications/roots/list_changed")
        server.fates["notifications/other"] = "reset"
        await client.send_notification("notifications/other")
        with anyio.fail_after(5):
            assert text_of(await client.call_tool("tool", {})) == "tool"
            await until(lambda: server.arrived["notifications/roots/list_changed"] >= 20)
            await until(lambda: bool(server.arrived["notifications/other"]))
        assert text_of(await client.call_tool("tool", {})) == "tool"
    assert server.arrived["initialize"] == 1


async def test_calls_that_wait_for_the_user_leave_room_for_the_answers(server: Resetting) -> None:
    asked = anyio.Event()
    waiting = 0

    async def answer(context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
        nonlocal waiting
        del context, params
        waiting += 1
        if waiting == 120:
            asked.set()
        await asked.wait()
        return types.ElicitResult(action="decline")

    server.elicits = True
    async with McpClient.http(
        server.url, config=LEGACY, callbacks=ClientCallbacks(elicitation=answer)
    ) as client:
        await client.initialize()
        with anyio.fail_after(20):
            found = await outcomes(client, 120)
    assert found == {name: name for name in found}
    assert len(found) == 120


async def test_the_stream_of_the_servers_own_messages_is_reopened_however_long_it_takes(
    server: Resetting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "code_mcp_client")
    async with McpClient.http(server.url, config=LEGACY) as client:
        await client.initialize()
        heard = client.notifications()
        for opened in range(1, 4):
            with anyio.fail_after(10):
                await until(lambda: server.streams_opened >= opened)  # noqa: B023 - awaited at once
                await server.push({"jsonrpc": "2.0", "method": f"notifications/number-{opened}"})
                assert (await anext(heard)).method == f"notifications/number-{opened}"
            reset(server.streams.pop())


async def test_a_server_that_is_not_running_is_named_with_the_cause() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/mcp"
        async with McpClient.http(f"{url}?key=secret") as client:
            with pytest.raises(ConnectionLost) as caught:
                await client.initialize()
    assert (
        str(caught.value).replace("?key=secret", "")
        == f"server/discover: no connection to MCP server {url}: connection refused"
    )


def caused(error: Exception, *causes: BaseException) -> Exception:
    """`error` with a chain of causes, as raised by the layers below."""
    effect: BaseException = error
    for cause in causes:
        effect.__cause__ = cause
        effect = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            caused(httpx2.ConnectError("x"), OSError("all failed"), socket.gaierror(-2, "Name not known")),
            "its name cannot be resolved: Name not known",
        ),
        (
            caused(
                httpx2.ConnectError("x"),
                ExceptionGroup("several", [ConnectionRefusedError(errno.ECONNREFUSED, "x"), OSError("y")]),
            ),
            "connection refused",
        ),
        (
            caused(httpx2.ReadError(""), ConnectionResetError(errno.ECONNRESET, "x")),
            "connection reset by peer",
        ),
        (httpx2.ReadError(""), "the connection broke"),
        (httpx2.ConnectTimeout(""), "connecting took too long"),
        (httpx2.RemoteProtocolError("Server disconnected."), "Server disconnected"),
        (caused(httpx2.RequestError("sign in again"), ValueError("inside")), "sign in again"),
        (ValueError("two\nlines " + "x" * 1000), "two lines " + "x" * 290),
    ],
)
async def test_the_reason_is_the_innermost_cause(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


async def test_calls_on_an_abandoned_session_still_get_their_answers(server: Resetting) -> None:
    found: list[str] = []

    async def slow() -> None:
        found.append(text_of(await client.call_tool("slow", {})))

    async with McpClient.http(server.url, config=LEGACY) as client:
        await client.initialize()
        server.fates |= {"slow": "wait", "tools/list": "forgotten"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slow)
            await until(lambda: bool(server.arrived["slow"]))
            with pytest.raises(ConnectionLost, match="forgotten the session"):
                await client.list_tools()
            del server.fates["tools/list"]
            assert text_of(await client.call_tool("fast", {})) == "fast"
            assert found == []
            server.held.set()
    assert found == ["slow"]
    assert server.arrived["slow"] == 1
    assert server.arrived["initialize"] == 4  # three attempts to list, and the call


async def test_a_server_without_tls_is_named_with_the_cause() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as plain:
        url = f"https://127.0.0.1:{plain.sockets[0].getsockname()[1]}/mcp"
        async with McpClient.http(url) as client:
            with pytest.raises(ConnectionLost, match=f"no connection to MCP server {url}: TLS failed: "):
                await client.initialize()
