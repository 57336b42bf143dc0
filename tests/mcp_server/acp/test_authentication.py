"""Authentication: the key in the environment or saved, login in a terminal, logout."""

from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support.acp_client import AcpClient, RequestFailed
from support.acp_schema import check
from support.command import CODE, Workspace

AUTH_REQUIRED = -32000
SAVED = "sk-saved-0123456789"
TERMINAL: dict[str, Any] = {"auth": {"terminal": True}}
OLDER: dict[str, Any] = {"_meta": {"terminal-auth": True}}


@pytest.fixture
def keyless(workspace: Workspace) -> Workspace:
    """A workspace whose environment has no key."""
    workspace.configure("http://127.0.0.1:9/v1")
    del workspace.environment["SCRIPTED_API_KEY"]
    return workspace


def methods(workspace: Workspace, capabilities: dict[str, Any], *options: str) -> list[dict[str, Any]]:
    with AcpClient(workspace, *options, capabilities=capabilities) as client:
        result = client.initialize()
    check("InitializeResponse", result)
    found: list[dict[str, Any]] = result["authMethods"]
    return found


def refused(client: AcpClient, method: str, params: dict[str, Any]) -> RequestFailed:
    with pytest.raises(RequestFailed) as failed:
        client.call(method, params)
    return failed.value


def test_without_a_key_a_session_needs_authentication(keyless: Workspace) -> None:
    with AcpClient(keyless) as client:
        client.initialize()
        for method, params in (
            ("session/new", {"cwd": str(keyless.directory), "mcpServers": []}),
            ("authenticate", {"methodId": "api-key"}),
        ):
            error = refused(client, method, params)
            assert error.code == AUTH_REQUIRED
            assert "run `code login`, or set SCRIPTED_API_KEY where the editor starts this agent" in str(
                error
            )


def test_a_saved_key_lets_a_running_agent_open_sessions(keyless: Workspace) -> None:
    with AcpClient(keyless) as client:
        client.initialize()
        assert refused(client, "authenticate", {"methodId": "api-key"}).code == AUTH_REQUIRED
        keyless.run("login", "--with-api-key", stdin=SAVED)
        assert client.call("authenticate", {"methodId": "api-key"}) == {}
        assert client.new_session()


def test_a_damaged_key_is_reported_and_not_shown(keyless: Workspace) -> None:
    (keyless.home / "keys").mkdir()
    (keyless.home / "keys/SCRIPTED_API_KEY").write_text("a b")
    with AcpClient(keyless) as client:
        client.initialize()
        error = refused(client, "authenticate", {"methodId": "api-key"})
        assert error.code == AUTH_REQUIRED
        assert "keys/SCRIPTED_API_KEY contains spaces" in str(error)
        assert "a b" not in str(error)


@pytest.mark.parametrize(
    "declared",
    [{}, {"auth": {"terminal": False}}, {"auth": {}}, {"_meta": {"terminal-auth": "yes"}}, {"auth": 1}],
)
def test_terminal_login_is_offered_only_to_clients_with_a_terminal(
    workspace: Workspace, declared: dict[str, Any]
) -> None:
    assert [one["id"] for one in methods(workspace, declared)] == ["api-key"]


def test_terminal_login_runs_the_agents_command(workspace: Workspace) -> None:
    agent, login = methods(workspace, TERMINAL)
    assert "type" not in agent
    assert (login["type"], login["args"], "_meta" in login) == ("terminal", ["login"], False)


def test_older_clients_are_given_the_whole_command(workspace: Workspace) -> None:
    _, login = methods(workspace, OLDER, "-m", "x")
    command = login["_meta"]["terminal-auth"]
    assert (command["command"], command["args"]) == (CODE, ["acp", "-m", "x", "login"])
    assert command["env"] == {"CODE_HOME": str(workspace.home)}
    assert command["label"]


def test_authenticate_rejects_the_terminal_login(workspace: Workspace) -> None:
    with AcpClient(workspace, capabilities=TERMINAL) as client:
        client.initialize()
        assert refused(client, "authenticate", {"methodId": "login"}).code == -32602
        assert refused(client, "authenticate", {"methodId": "x"}).code == -32602


def test_after_a_logout_a_session_needs_authentication(workspace: Workspace, replay: Replay) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.initialize()
        client.call("logout", {})
        error = refused(client, "session/new", {"cwd": str(workspace.directory), "mcpServers": []})
        assert error.code == AUTH_REQUIRED
        assert "you have logged out" in str(error)
        client.call("authenticate", {"methodId": "api-key"})
        assert client.new_session()


def test_a_logout_deletes_the_saved_key(keyless: Workspace) -> None:
    keyless.run("login", "--with-api-key", stdin=SAVED)
    with AcpClient(keyless) as client:
        client.initialize()
        assert client.new_session()
        assert client.call("logout", {}) == {}
        assert refused(client, "authenticate", {"methodId": "api-key"}).code == AUTH_REQUIRED
    assert not (keyless.home / "keys/SCRIPTED_API_KEY").exists()
