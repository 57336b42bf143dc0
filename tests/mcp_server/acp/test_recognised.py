"""`code mcp-server` serves editors that speak ACP to it."""

import json
import subprocess

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import AcpClient
from support.command import CODE, Workspace


def test_an_initialize_with_a_numeric_version_is_acp(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Hello"), sse.completed()])
    with AcpClient(workspace, command=(CODE, "mcp-server")) as client:
        assert client.initialize()["agentCapabilities"]["loadSession"]
        assert client.prompt(client.new_session()) == "end_turn"
        assert client.text() == "Hello"


def test_invalid_settings_are_reported_to_the_editor(workspace: Workspace) -> None:
    (workspace.home / "config.toml").write_text("model = [")
    with AcpClient(workspace, command=(CODE, "mcp-server")) as client:
        client.initialize()
        request = client.send("session/new", {"cwd": str(workspace.directory), "mcpServers": []})
        client.until(lambda: any(frame.get("id") == request for frame in client.frames))
        assert "config.toml" in json.dumps(client.frames[-1]["error"])


def test_any_other_initialize_is_mcp(workspace: Workspace) -> None:
    params = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    done = subprocess.run(
        [CODE, "mcp-server"],
        input=f"{line}\n",
        env=workspace.environment,
        cwd=workspace.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "serverInfo" in done.stdout
