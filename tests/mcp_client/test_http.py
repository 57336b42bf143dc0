import socket
from collections.abc import Iterator

import anyio
import pytest

from code_mcp_client import (
    ConnectionLost,
    InvalidSetting,
    McpClient,
    McpClientConfig,
    MessageTooLarge,
    RequestFailed,
    RequestTimedOut,
    UnusableAnswer,
)
from mcp_client.http_server import Script, http_server
from mcp_client.resetting_server import until
from mcp_client.scripted import text_of

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_left")]


@pytest.fixture
def server(nothing_left: None) -> Iterator[Script]:
    with http_server() as script:
        yield script


async def test_a_session_is_opened_used_and_ended(server: Script) -> None:
    config = McpClientConfig(protocol_version="2025-06-18")
    async with McpClient.http(server.url, config=config) as client:
        assert (await client.initialize()).server_info.name == "http"
        await client.ping()
        assert (await client.list_tools()).tools == []
    assert server.methods() == ["initialize", "notifications/initialized", "ping", "tools/list"]
    assert server.ended == ["session-0"]
    assert server.seen[-1][1]["mcp-protocol-version"] == "2025-06-18"


@pytest.mark.parametrize("sse", [False, True])
async def test_an_answer_far_above_the_sdks_limit_arrives_completely(server: Script, sse: bool) -> None:
    async with McpClient.http(server.url) as client:
        await client.initialize()
        result = await client.call_tool("big", {"size": 16 * 2**20, "sse": sse})
    assert text_of(result) == "x" * 16 * 2**20


@pytest.mark.parametrize("sse", [False, True])
async def test_an_answer_above_our_limit_fails_only_its_request(server: Script, sse: bool) -> None:
    config = McpClientConfig(max_message_bytes=100_000)
    async with McpClient.http(server.url, config=config) as client:
        await client.initialize()
        with pytest.raises(MessageTooLarge):
            await client.call_tool("big", {"size": 1_000_000, "sse": sse})
        assert text_of(await client.call_tool("big", {"size": 90_000, "sse": sse})) == "x" * 90_000


async def test_a_compressed_answer_is_rejected(server: Script) -> None:
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.gzip = True
        with pytest.raises((RequestFailed, UnusableAnswer), match="compressed"):
            await client.call_tool("big", {"size": 10})


async def test_headers_and_the_token_are_sent_with_every_request(
    server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCS_TOKEN", "secret")
    async with McpClient.http(
        server.url, headers={"X-Team": "docs"}, bearer_token_env_var="DOCS_TOKEN"
    ) as client:
        await client.initialize()
    for _, headers in server.seen:
        assert headers["authorization"] == "Bearer secret"
        assert headers["x-team"] == "docs"


async def test_a_missing_token_is_reported_immediately(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCS_TOKEN", raising=False)
    with pytest.raises(InvalidSetting, match="DOCS_TOKEN, which is not set"):
        McpClient.http("http://127.0.0.1:1/", bearer_token_env_var="DOCS_TOKEN")


@pytest.mark.parametrize(
    "forgetting",
    [
        ("", ""),
        ("text/html", "<h1>Not Found</h1>"),
        ("application/json", '{"error": "no session"}'),
        (
            "application/json",
            '{"jsonrpc": "2.0", "id": ID, "error": {"code": -32001, "message": "no session"}}',
        ),
        (
            "application/json",
            '{"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "no session"}}',
        ),
        ("text/event-stream", 'data: {"jsonrpc": "2.0", "id": ID, "error": {"code": 1, "message": "x"}}\n\n'),
    ],
)
async def test_a_forgotten_session_is_reopened_and_reads_continue(
    server: Script, forgetting: tuple[str, str]
) -> None:
    server.forgetting = forgetting
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.forget = {"session-0"}
        assert (await client.list_tools()).tools == []
        assert server.methods()[-4:] == [
            "tools/list",
            "initialize",
            "notifications/initialized",
            "tools/list",
        ]
        assert server.seen[-1][1]["mcp-session-id"] == "session-1"
    assert server.ended == ["session-1"]


async def test_a_server_that_refuses_an_unknown_session_with_400_gets_a_new_one(server: Script) -> None:
    error = '{"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "No valid session ID"}}'
    server.forgetting, server.forgetting_status = ("application/json", error), 400
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.forget = {"session-0"}
        assert (await client.list_tools()).tools == []
        server.forgetting = ("text/plain", "Bad Request")
        server.forget = {"session-1"}
        with pytest.raises(RequestFailed, match="HTTP status 400"):
            await client.list_tools()
        server.hang_up = 1  # now it may have been started again
        assert (await client.list_tools()).tools == []
    assert server.sessions == ["session-0", "session-1", "session-2"]


async def test_an_unknown_method_is_not_a_forgotten_session(server: Script) -> None:
    error = '{"jsonrpc": "2.0", "id": ID, "error": {"code": -32601, "message": "unknown method"}}'
    server.forgetting = ("application/json", error)
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.forget = {"session-0"}
        with pytest.raises(RequestFailed, match="unknown method"):
            await client.send_request("resources/list")
        assert server.methods().count("initialize") == 1


async def test_a_tool_call_is_not_repeated_but_the_next_one_works(server: Script) -> None:
    async with McpClient.http(server.url) as client:
        await client.initialize()
        await client.list_tools()
        server.forget = {"session-0"}
        with pytest.raises(ConnectionLost, match="forgotten the session"):
            await client.call_tool("big", {"size": 1})
        assert server.methods().count("tools/call") == 1
        assert text_of(await client.call_tool("big", {"size": 1})) == "x"


@pytest.mark.parametrize("method", ["notifications/roots/list_changed", "notifications/cancelled"])
@pytest.mark.parametrize(
    ("status", "forgetting"),
    [
        (404, ("", "")),
        (404, ("text/html", "<h1>Not Found</h1>")),
        (400, ("text/plain", "No valid session ID")),
    ],
)
async def test_a_session_that_a_notification_finds_lost_is_reopened_for_the_next_call(
    server: Script,
    method: str,
    status: int,
    forgetting: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "code_mcp_client")
    server.forgetting_status, server.forgetting = status, forgetting
    async with McpClient.http(server.url) as client:
        await client.initialize()
        await client.list_tools()
        server.forget = {"session-0"}
        await client.send_notification(method, {"requestId": 99})
        with anyio.fail_after(30):
            await until(lambda: "has forgotten the session" in caplog.text)
        assert text_of(await client.call_tool("big", {"size": 1})) == "x"
    assert server.sessions == ["session-0", "session-1"]


async def test_a_notification_that_is_not_known_does_not_end_the_session(server: Script) -> None:
    error = '{"jsonrpc": "2.0", "id": null, "error": {"code": -32601, "message": "unknown method"}}'
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.forgetting, server.forget = ("application/json", error), {"session-0"}
        await client.send_notification("notifications/roots/list_changed")
        with anyio.fail_after(30):
            await until(lambda: "notifications/roots/list_changed" in server.methods())
        server.forget = set()
        await client.list_tools()
    assert server.sessions == ["session-0"]


async def test_after_a_broken_connection_reads_are_repeated_and_tool_calls_are_not(server: Script) -> None:
    async with McpClient.http(server.url) as client:
        await client.initialize()
        await client.list_tools()
        server.hang_up = 1
        await client.ping()
        server.hang_up = 1
        with pytest.raises(ConnectionLost, match=r"no answer from MCP server .* the tool may have run"):
            await client.call_tool("big", {"size": 1})
        assert server.methods().count("tools/call") == 1
        assert text_of(await client.call_tool("big", {"size": 1})) == "x"


async def test_only_reads_are_repeated_if_the_server_is_busy(server: Script) -> None:
    async with McpClient.http(server.url) as client:
        await client.initialize()
        server.refuse = [503, 429]
        await client.ping()
        server.refuse = [503]
        with pytest.raises(RequestFailed, match="HTTP status 503"):
            await client.call_tool("big", {"size": 1})
        server.refuse = [503, 503, 503]
        with pytest.raises(RequestFailed, match="HTTP status 503"):
            await client.ping()


async def test_a_refusal_names_its_status(server: Script) -> None:
    async with McpClient.http(server.url) as client:
        server.refuse = [401, 401]  # the probe, and the handshake
        with pytest.raises(RequestFailed, match=f"{server.url} answered with HTTP status 401"):
            await client.initialize()


async def test_an_unreachable_server_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        async with McpClient.http(url) as client:
            with pytest.raises(ConnectionLost, match=url):
                await client.initialize()


async def test_a_server_that_does_not_answer_times_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        async with McpClient.http(url, config=McpClientConfig(startup_timeout=0.3)) as client:
            with pytest.raises(RequestTimedOut):
                await client.initialize()


async def test_calls_in_flight_get_their_own_answers(server: Script) -> None:
    sizes: dict[int, int] = {}

    async def one(client: McpClient, size: int) -> None:
        sizes[size] = len(text_of(await client.call_tool("big", {"size": size})))

    async with McpClient.http(server.url) as client:
        await client.initialize()
        async with anyio.create_task_group() as tasks:
            for size in range(20):
                tasks.start_soon(one, client, size)
    assert sizes == {size: size for size in range(20)}
