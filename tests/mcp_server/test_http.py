"""`code mcp-server --http`: the SDK's client over HTTP in both eras, and access control."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from code_mcp_server.http_connections import MOST_WAITING
from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

TOKEN = "a-token-for-this-test"
TOUCH = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE = [sse.message("bye"), sse.completed()]
ASK = {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"}


@contextmanager
def server(workspace: Workspace, *responses: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the URL of a server, which ends with the block."""
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    workspace.environment["CODE_MCP_TOKEN"] = TOKEN
    with workspace.start("mcp-server", "--http", "0") as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            assert line.startswith("MCP server at http://127.0.0.1:"), line
            yield line.split()[-1]
            process.terminate()
            assert process.wait(10) == 128 + 15
            assert process.stderr.read() == ""
        finally:
            process.kill()


async def call(url: str, mode: str, elicit: Any = None, **arguments: Any) -> dict[str, Any]:
    with anyio.fail_after(60):
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode, elicitation_callback=elicit) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == ["codex", "codex-reply"]
                result = await client.call_tool("codex", {**ASK, **arguments})
                assert result.structured_content is not None
                return {**result.structured_content, "notes": [part.text for part in result.content[1:]]}  # type: ignore[union-attr]  # ours are texts


@pytest.mark.parametrize(
    ("mode", "decision"),
    [
        ("legacy", "approved"),
        ("auto", "approved"),
        ("2026-07-28", "denied"),
        ("legacy", None),
        ("auto", None),
    ],
)
def test_codex_asks_for_approval_in_both_eras(workspace: Workspace, mode: str, decision: str | None) -> None:
    async def elicit(_: Any, params: ElicitRequestParams) -> ElicitResult:
        assert "$ touch made" in params.message
        if decision is None:
            return ElicitResult(action="decline")
        return ElicitResult(action="accept", content={"decision": decision})

    with server(workspace, TOUCH, BYE) as url:
        assert anyio.run(call, url, mode, elicit)["content"] == "bye"
    assert (workspace.directory / "made").exists() == (decision == "approved")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
def test_a_client_that_cannot_be_asked_is_not_awaited(workspace: Workspace, mode: str) -> None:
    with server(workspace, TOUCH, BYE) as url:
        answer = anyio.run(call, url, mode)
    assert answer["content"] == "bye"
    assert "does not declare elicitation" in answer["notes"][0]
    assert not (workspace.directory / "made").exists()


def test_only_clients_with_the_token_have_access_and_web_pages_do_not(workspace: Workspace) -> None:
    def status(**headers: str) -> int:
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
        return httpx2.post(url, json=body, headers=accept | headers).status_code

    right = f"Bearer {TOKEN}"
    with server(workspace) as url:
        assert status() == 401
        assert status(authorization="Bearer wrong") == 401
        assert status(authorization=TOKEN) == 401
        assert status(authorization=right, host="evil.example:80") == 421
        assert status(authorization=right, origin="http://evil.example") == 403
        assert status(authorization=right) == 200


def test_connections_without_a_request_do_not_block_other_clients(workspace: Workspace) -> None:
    with server(workspace, [sse.message("hi"), sse.completed()]) as url:
        port = httpx2.URL(url).port
        assert port is not None
        idle = [socket.create_connection(("127.0.0.1", port), 5) for _ in range(3 * MOST_WAITING)]
        try:
            for one in idle:
                with suppress(OSError):
                    one.sendall(b"POST /mcp HTTP/1.1\r\n")
            assert anyio.run(call, url, "legacy")["content"] == "hi"
            assert sum(_is_open(one) for one in idle) <= MOST_WAITING
        finally:
            for one in idle:
                one.close()


def test_a_client_without_a_token_cannot_keep_sending(workspace: Workspace) -> None:
    with server(workspace) as url:
        port = httpx2.URL(url).port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            one.sendall(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999999\r\n\r\nx")
            answer = b""
            while part := one.recv(4096):
                answer += part
            assert answer.startswith(b"HTTP/1.1 401 ")


def _is_open(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


@pytest.mark.parametrize(
    ("token", "text"), [("", "set CODE_MCP_TOKEN"), ("short", "at least 16"), ("a b" * 10, "no spaces")]
)
def test_the_server_does_not_start_without_a_valid_token(workspace: Workspace, token: str, text: str) -> None:
    workspace.environment["CODE_MCP_TOKEN"] = token
    done = workspace.run("mcp-server", "--http", "0")
    assert done.returncode == 2
    assert text in done.stderr
    assert token == "" or token not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_reported_in_one_line(workspace: Workspace) -> None:
    with server(workspace) as url:
        port = url.rpartition(":")[2].partition("/")[0]
        done = workspace.run("mcp-server", "--http", port)
        assert done.returncode == 2
        assert f"cannot listen on port {port}" in done.stderr
