"""Pages that an MCP server of the engine asks to open, passed on to a client that can open them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

TESTS = str(Path(__file__).parents[1])
PAGE = "https://example.com/login?state=1"
SERVER = {
    "command": sys.executable,
    "args": ["-S", "-m", "mcp_client.servers.listed"],
    "env": {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"},
}


def run(workspace: Workspace, capabilities: dict[str, Any], action: str) -> list[dict[str, Any]]:
    """What the client received during a call of `codex` in which the server asks to open a page."""
    ask = [sse.function_call("one__ask", {"url": PAGE}, "c1"), sse.completed()]
    scenario = write_scenario(workspace.home, [ask, [sse.message("bye"), sse.completed()]])
    workspace.environment["CODE_REPLAY"] = str(scenario)
    seen: list[dict[str, Any]] = []
    with workspace.start("mcp-server", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def send(message: dict[str, Any]) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()

        about = {"name": "t", "version": "1"}
        hello = {"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": about}
        send({"id": 1, "method": "initialize", "params": hello})
        send({"method": "notifications/initialized"})
        arguments = {"prompt": "go", "config": {"mcp_servers": {"one": SERVER}}}
        send({"id": 2, "method": "tools/call", "params": {"name": "codex", "arguments": arguments}})
        for line in process.stdout:
            message = json.loads(line)
            seen.append(message)
            if message.get("method") == "elicitation/create":
                send({"id": message["id"], "result": {"action": action}})
            if message.get("id") == 2 and "result" in message:
                break
        process.stdin.close()
        assert process.wait(30) == 0
    assert seen[-1]["result"]["structuredContent"]["content"] == "bye"
    return seen


@pytest.mark.parametrize("action", ["accept", "decline"])
def test_a_page_and_its_completion_are_passed_on(workspace: Workspace, action: str) -> None:
    seen = run(workspace, {"elicitation": {"form": {}, "url": {}}}, action)
    [asked] = [message["params"] for message in seen if message.get("method") == "elicitation/create"]
    assert (asked["mode"], asked["url"]) == ("url", PAGE)
    assert "requestedSchema" not in asked
    complete = [one["params"] for one in seen if one.get("method") == "notifications/elicitation/complete"]
    assert complete == ([{"elicitationId": asked["elicitationId"]}] if action == "accept" else [])


@pytest.mark.parametrize("capabilities", [{}, {"elicitation": {}}, {"elicitation": {"form": {}}}])
def test_a_client_that_cannot_open_pages_is_not_asked(
    workspace: Workspace, capabilities: dict[str, Any]
) -> None:
    methods = {message.get("method") for message in run(workspace, capabilities, "accept")}
    assert not methods & {"elicitation/create", "notifications/elicitation/complete"}
