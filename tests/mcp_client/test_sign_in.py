"""Signing in to a server with OAuth: once in the browser, then with the saved tokens."""

import json
import logging
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest

from code_mcp_client import ConnectionLost, McpClient
from code_mcp_client import sign_in as sign_in_module
from code_mcp_client.client import _SPOKEN
from code_mcp_client.sign_in import SignInFailed, TokenFile, saved_sign_in, sign_in
from mcp_client.oauth_server import OAuthServer, oauth_server

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[OAuthServer]:
    _SPOKEN.clear()
    with oauth_server() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens" / "s.json"


async def browse(page: str) -> None:
    """The browser of a user who accepts everything, which follows redirects."""
    async with httpx2.AsyncClient(follow_redirects=True) as http:
        assert (await http.get(page)).status_code == 200


async def tools(server: OAuthServer, path: Path) -> int:
    auth = saved_sign_in(server.url, TokenFile(path, server.url), "code mcp login s")
    async with McpClient.http(server.url, auth=auth) as client:
        await client.initialize()
        return len((await client.list_tools()).tools)


async def test_a_sign_in_persists(server: OAuthServer, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["s.json"]
    assert await tools(server, path) == 0
    assert server.grants == ["authorization_code"]
    assert "hush" not in caplog.text
    assert "hush" not in repr(TokenFile(path, server.url))


async def test_a_token_that_has_expired_is_refreshed_and_saved(server: OAuthServer, path: Path) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"expires_at": 1}))
    server.access = "another"
    assert await tools(server, path) == 0
    assert server.grants[-1] == "refresh_token"
    asked = len(server.grants)
    assert await tools(server, path) == 0
    assert len(server.grants) == asked


async def test_the_error_for_forgotten_tokens_says_what_to_do(server: OAuthServer, path: Path) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    server.access, server.revoked = "another", True
    with pytest.raises(ConnectionLost, match="code mcp login s") as caught:
        await tools(server, path)
    assert "hush" not in str(caught.value)


async def test_a_token_that_is_refused_before_it_expires_is_refreshed(
    server: OAuthServer, path: Path
) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    server.access = "another"
    assert await tools(server, path) == 0
    assert server.grants == ["authorization_code", "refresh_token"]


async def test_open_connections_notice_a_new_sign_in(server: OAuthServer, path: Path) -> None:
    file = TokenFile(path, server.url)
    assert await sign_in(server.url, file, browse)
    auth = saved_sign_in(server.url, TokenFile(path, server.url), "code mcp login s")
    async with McpClient.http(server.url, auth=auth) as client:
        await client.initialize()
        await client.list_tools()
        server.access, server.revoked = "another", True
        with pytest.raises(ConnectionLost, match="code mcp login s"):
            await client.list_tools()
        assert await sign_in(server.url, file, browse)
        assert (await client.list_tools()).tools == []


async def test_a_token_that_another_process_has_refreshed_is_used(server: OAuthServer, path: Path) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    auth = saved_sign_in(server.url, TokenFile(path, server.url), "code mcp login s")
    async with McpClient.http(server.url, auth=auth) as client:
        await client.initialize()
        await client.list_tools()
        server.access = "expired"
        assert await tools(server, path) == 0  # the other process, which gets a new refresh token, too
        assert (await client.list_tools()).tools == []
    assert server.grants == ["authorization_code", "refresh_token"]


async def test_two_concurrent_refreshes_both_continue(server: OAuthServer, path: Path) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    server.access = "expired"
    found: list[int] = []

    async def one() -> None:
        found.append(await tools(server, path))

    async with anyio.create_task_group() as both:
        both.start_soon(one)
        both.start_soon(one)
    assert found == [0, 0]


@pytest.mark.parametrize(
    ("listens", "reason"), [(False, "connection refused"), (True, "the server did not answer")]
)
async def test_an_unreachable_authorization_server_is_named_and_does_not_block(
    server: OAuthServer, path: Path, listens: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in_module, "_PATIENCE", httpx2.Timeout(0.2))
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    with socket.socket() as down:
        down.bind(("127.0.0.1", 0))
        if listens:
            down.listen()
        endpoint = f"http://127.0.0.1:{down.getsockname()[1]}/token"
        saved = json.loads(path.read_text())
        saved["metadata"]["token_endpoint"] = endpoint
        path.write_text(json.dumps(saved | {"expires_at": 1}))
        with anyio.fail_after(10), pytest.raises(ConnectionLost) as caught:
            await tools(server, path)
    assert f"signing in needs {endpoint}: {reason}" in str(caught.value)


async def test_calls_with_a_token_run_concurrently_and_a_rejected_token_is_refreshed_once(
    server: OAuthServer, path: Path
) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    auth = saved_sign_in(server.url, TokenFile(path, server.url), "code mcp login s")
    async with McpClient.http(server.url, auth=auth) as client:
        await client.initialize()
        await client.list_tools()
        server.access, server.gathering = "expired", threading.Barrier(10)
        async with anyio.create_task_group() as calls:
            for _ in range(10):
                calls.start_soon(client.call_tool, "slow", {})
    assert server.grants == ["authorization_code", "refresh_token"]


async def test_the_tokens_of_one_server_are_not_sent_to_another(server: OAuthServer, path: Path) -> None:
    assert await sign_in(server.url, TokenFile(path, server.url), browse)
    assert not TokenFile(path, "http://127.0.0.1:1/other").has_tokens


async def test_a_user_who_refuses_is_an_error_in_one_line(server: OAuthServer, path: Path) -> None:
    server.refuse = True
    with pytest.raises(SignInFailed, match="access_denied"):
        await sign_in(server.url, TokenFile(path, server.url), browse)
    assert not TokenFile(path, server.url).has_tokens


async def test_a_damaged_token_file_counts_as_empty(server: OAuthServer, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{")
    file = TokenFile(path, server.url)
    assert not file.has_tokens
    assert await sign_in(server.url, file, browse)
    assert TokenFile(path, server.url).has_tokens
    assert [file.remove(), file.remove()] == [True, False]
