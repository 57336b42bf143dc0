"""A session's servers from an editor: their tools, their questions, and pages that they ask to open."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from mcp_server.acp.test_turns import FULL, text_reply
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient
from support.command import Workspace

TESTS = str(Path(__file__).parents[2])


def scripted_server(program: str) -> dict[str, Any]:
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1"}
    pairs = [{"name": name, "value": value} for name, value in environment.items()]
    return {"name": "my server", "command": sys.executable, "args": ["-S", "-m", program], "env": pairs}


def test_a_clients_server_is_used_and_its_questions_are_forms(workspace: Workspace, replay: Replay) -> None:
    replay([sse.function_call("my_server__ask", {}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        client.answers["elicitation/create"] = lambda _: {"action": "accept", "content": {"name": "me"}}
        session = client.new_session(mcpServers=[scripted_server("mcp_client.servers.listed")])
        assert client.prompt(session) == "end_turn"
        (asked,) = client.asked
        assert asked["params"]["mode"] == "form"
        assert "my_server│ Who?" in asked["params"]["message"]
        (end,) = [u for u in client.updates if u.get("toolCallId") == "c1" and u["status"] == "completed"]
        assert '{"name": "me"}' in json.dumps(end).replace("\\", "")


def test_a_client_without_forms_declines(workspace: Workspace, replay: Replay) -> None:
    replay([sse.function_call("my_server__ask", {}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities={"elicitation": {}}) as client:
        session = client.new_session(mcpServers=[scripted_server("mcp_client.servers.listed")])
        assert client.prompt(session) == "end_turn"
        assert client.asked == []
        assert "decline" in str(client.updates)


PAGE = "https://example.com/login?state=1"
URLS: dict[str, Any] = {"elicitation": {"url": {}}, "session": {"notices": {}}}


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
def test_a_server_may_ask_to_open_a_page(workspace: Workspace, replay: Replay, action: str) -> None:
    replay([sse.function_call("my_server__ask", {"url": PAGE}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=URLS) as client:
        client.answers["elicitation/create"] = lambda _: {"action": action}
        session = client.new_session(mcpServers=[scripted_server("mcp_client.servers.listed")])
        assert client.prompt(session) == "end_turn"
        (asked,) = client.asked
        assert (asked["params"]["mode"], asked["params"]["url"]) == ("url", PAGE)
        assert asked["params"]["elicitationId"]
        assert "my_server│ Who?" in asked["params"]["message"]
        complete = [one["params"] for one in client.notified if one["method"] == "elicitation/complete"]
        wanted = [{"elicitationId": asked["params"]["elicitationId"]}] if action == "accept" else []
        assert complete == wanted
        (end,) = [u for u in client.updates if u.get("toolCallId") == "c1" and u["status"] == "completed"]
        assert f'{{"action": "{action}"}}' in json.dumps(end).replace("\\", "")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://bank.example@evil.example/",
        "https://",
        "https://a.example/\u202egnp",
        "https://a.example/ b",
        "https://[",
        "https://a.example/" + "x" * 9_000,
    ],
)
def test_anything_but_a_plain_web_address_is_not_opened(
    workspace: Workspace, replay: Replay, url: str
) -> None:
    replay([sse.function_call("my_server__ask", {"url": url}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=URLS) as client:
        session = client.new_session(mcpServers=[scripted_server("mcp_client.servers.listed")])
        assert client.prompt(session) == "end_turn"
        assert client.asked == []
        assert any("my_server was declined" in str(one) for one in client.of_kind("notice"))


def test_a_client_that_cannot_open_pages_is_not_asked_to(workspace: Workspace, replay: Replay) -> None:
    replay([sse.function_call("my_server__ask", {"url": PAGE}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=EDITOR) as client:
        session = client.new_session(mcpServers=[scripted_server("mcp_client.servers.listed")])
        assert client.prompt(session) == "end_turn"
        assert client.asked == []


@pytest.mark.parametrize("capabilities", [{}, EDITOR], ids=["bare", "editor"])
def test_a_server_that_fails_or_has_an_unsupported_transport_is_a_notice(
    workspace: Workspace, replay: Replay, capabilities: dict[str, Any]
) -> None:
    replay(text_reply("Done."))
    servers = [
        {"name": "absent", "command": "/no/such/program", "args": [], "env": []},
        {"name": "old", "type": "sse", "url": "http://127.0.0.1:9/", "headers": []},
        {
            "name": "down",
            "type": "http",
            "url": "http://127.0.0.1:9/",
            "headers": [{"name": "A", "value": "b"}],
        },
    ]
    with AcpClient(workspace, *FULL, capabilities=capabilities) as client:
        session = client.new_session(mcpServers=servers)
        assert client.prompt(session) == "end_turn"
        notices = client.of_kind("notice" if capabilities else "agent_thought_chunk")
        for name in ("absent", "old", "down"):
            assert any(name in str(one) for one in notices), name
