"""Faults that users reported in other agents, tested on this one."""

import json
import sys
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from mcp_server.acp.test_client_servers import TESTS
from mcp_server.acp.test_turns import ASK, FULL, shell, text_reply
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient, RequestFailed, choose, prompt_params
from support.command import Workspace

FILES = {"fs": {"readTextFile": True, "writeTextFile": True}}
WAITS = shell("bash", "-c", "until [ -e go ]; do sleep 0.05; done")


def session_params(workspace: Workspace) -> dict[str, Any]:
    return {"cwd": str(workspace.directory), "mcpServers": []}


@pytest.mark.parametrize("version", ["2024-11-05", 0, 7, None, 1.0, "1"])
def test_a_client_with_another_version_gets_our_version(workspace: Workspace, version: object) -> None:
    with AcpClient(workspace) as client:
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
        assert client.call("initialize", params)["protocolVersion"] == 1


def test_nothing_about_a_session_precedes_the_answer_that_names_it(
    workspace: Workspace, replay: Replay
) -> None:
    """A client does not know the session yet, so it drops its updates and refuses its requests."""
    (workspace.directory / "AGENTS.md").write_text("Be brief.\n")
    replay(text_reply("Done."))
    with AcpClient(workspace, *FULL, capabilities=EDITOR | FILES) as client:
        client.initialize()
        before = len(client.frames)
        session = client.call("session/new", session_params(workspace))["sessionId"]
        assert len(client.frames) == before + 1
        assert client.prompt(session) == "end_turn"
        assert client.asked == []


def test_a_session_that_is_loaded_repeatedly_shows_everything_once(
    workspace: Workspace, replay: Replay
) -> None:
    replay(text_reply("One."), text_reply("Two."))
    with AcpClient(workspace, *FULL) as client:
        first, other = client.new_session(), client.new_session()
        for _ in range(3):
            client.call("session/load", {"sessionId": first, **session_params(workspace)})
        client.drain(0.2)
        before = len(client.frames)
        assert client.prompt(first) == "end_turn"
        news = [
            frame["params"] for frame in client.frames[before:] if frame.get("method") == "session/update"
        ]
        assert {one["sessionId"] for one in news} == {first}
        kinds = [one["update"]["sessionUpdate"] for one in news]
        assert kinds.count("agent_message_chunk") == 1
        assert "user_message_chunk" not in kinds  # the client shows what it has sent
        assert client.prompt(other) == "end_turn"


def test_a_cancellation_stops_the_session_that_it_names(workspace: Workspace, replay: Replay) -> None:
    replay(WAITS, WAITS, text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        kept, stopped = client.new_session(), client.new_session()
        going = client.send("session/prompt", prompt_params(kept, "go"))
        client.until(lambda: len(client.of_kind("tool_call")) == 1)
        ending = client.send("session/prompt", prompt_params(stopped, "go"))
        client.until(lambda: len(client.of_kind("tool_call")) == 2)
        client.notify("session/cancel", {"sessionId": stopped})
        assert client.result(ending) == {"stopReason": "cancelled"}
        (workspace.directory / "go").touch()
        assert client.result(going) == {"stopReason": "end_turn"}


def test_a_prompt_after_a_cancelled_permission_runs_immediately(workspace: Workspace, replay: Replay) -> None:
    replay(shell("touch", "made"), text_reply("Instead."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = lambda _: None
        session = client.new_session()
        first = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: bool(client.asked))
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(first) == {"stopReason": "cancelled"}
        assert client.prompt(session, "something else") == "end_turn"
        assert client.text() == "Instead."
    assert not (workspace.directory / "made").exists()


BAD_CALLS = [
    sse.function_call("shell", "{", "c1"),
    sse.function_call("shell", {"command": "not a list"}, ""),
    sse.function_call("tool_search", {}, "c3"),
    sse.function_call("", {}, "c4"),
]


def test_malformed_calls_do_not_break_the_session(workspace: Workspace, replay: Replay) -> None:
    replay([*BAD_CALLS, sse.completed()], text_reply("Sorry."), text_reply("Fine."))
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        assert client.prompt(session) == "end_turn"
        assert client.text() == "Sorry.Fine."
    with AcpClient(workspace, *FULL) as client:  # the record can be read too
        client.initialize()
        client.call("session/load", {"sessionId": session, **session_params(workspace)})
        ends = {one["toolCallId"]: one["status"] for one in client.updates if "toolCallId" in one}
        assert len(ends) == len(BAD_CALLS)
        assert "in_progress" not in ends.values()


def test_after_an_error_of_the_provider_the_next_prompt_is_answered(
    workspace: Workspace, replay: Replay
) -> None:
    refused = [sse.failed("invalid_prompt", "high-risk text refused")]
    replay(refused, text_reply("Fine."))
    with AcpClient(workspace) as client:
        session = client.new_session()
        with pytest.raises(RequestFailed, match="high-risk text refused"):
            client.prompt(session)
        assert client.prompt(session) == "end_turn"
        assert client.text() == "Fine."


def test_a_server_that_never_answers_does_not_hold_up_a_session(workspace: Workspace, replay: Replay) -> None:
    replay(text_reply("Done."))
    silent = {
        "name": "silent",
        "command": sys.executable,
        "args": ["-S", "-c", "import time; time.sleep(300)"],
        "env": [],
    }
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session(mcpServers=[silent])
        client.until(lambda: bool(client.of_kind("available_commands_update")))
        assert client.prompt(session) == "end_turn"


def server(**more: Any) -> dict[str, Any]:
    return {
        "name": "mine",
        "command": sys.executable,
        "args": ["-S", "-m", "mcp_client.servers.listed"],
        **more,
    }


@pytest.mark.parametrize(
    "more",
    [
        {"env": [{"name": "PYTHONPATH", "value": TESTS}]},
        {"env": [{"name": "PYTHONPATH", "value": TESTS}], "type": "stdio", "_meta": {"x": 1}, "later": 2},
        {"env": {"PYTHONPATH": TESTS}},
    ],
    ids=["list", "type", "object"],
)
def test_servers_are_accepted_in_every_clients_form(
    workspace: Workspace, replay: Replay, more: dict[str, Any]
) -> None:
    replay([sse.function_call("mine__ask", {}, "c1"), sse.completed()], text_reply("Done."))
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session(mcpServers=[server(**more)])
        assert client.prompt(session) == "end_turn"
        assert "decline" in json.dumps(client.updates)


@pytest.mark.parametrize("entry", [{"env": "A=b"}, {"env": 1}, {"env": [["A", "b"]]}, {"env": {"A": 1}}])
def test_an_unreadable_environment_is_an_error(
    workspace: Workspace, replay: Replay, entry: dict[str, Any]
) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.initialize()
        with pytest.raises(RequestFailed, match="env must be") as refused:
            client.call("session/new", session_params(workspace) | {"mcpServers": [server(**entry)]})
        assert refused.value.code == -32602


def test_blank_lines_and_carriage_returns_between_messages_are_ignored(
    workspace: Workspace, replay: Replay
) -> None:
    replay(text_reply("Done."))
    with AcpClient(workspace) as client:
        client.write_line(b"")
        client.write_line(b"\r")
        client.initialize()
        client.write_line(b"\n\n  ")
        assert client.prompt(client.new_session()) == "end_turn"
        assert all("error" not in frame for frame in client.frames)


def test_an_unknown_session_is_rejected_immediately_by_name(workspace: Workspace, replay: Replay) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.initialize()
        for method in ("session/load", "session/resume"):
            with pytest.raises(RequestFailed) as refused:
                client.call(method, {"sessionId": "20260415_1", **session_params(workspace)})
            assert refused.value.code == -32002
            assert refused.value.error["data"] == {"sessionId": "20260415_1"}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"outcome": None},
        {"outcome": {"outcome": "selected"}},
        {"outcome": "selected"},
        choose("none")({}),
    ],
)
def test_an_invalid_answer_to_a_permission_request_neither_hangs_nor_allows(
    workspace: Workspace, replay: Replay, answer: dict[str, Any]
) -> None:
    replay(shell("touch", "made"), text_reply("Done."))
    with AcpClient(workspace, *ASK) as client:
        client.answers["session/request_permission"] = lambda _: answer
        assert client.prompt(client.new_session()) in {"end_turn", "cancelled"}
    assert not (workspace.directory / "made").exists()
