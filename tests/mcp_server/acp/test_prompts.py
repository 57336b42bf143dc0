"""An editor drives `code acp`: from `initialize` to the end of a prompt."""

import json
import signal
import subprocess
import time
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient, RequestFailed, choose, prompt_params
from support.acp_schema import check
from support.command import CODE, Workspace

FULL = ("-s", "danger-full-access", "-a", "never")
SLEEP: list[dict[str, Any]] = [
    sse.function_call("shell", {"command": ["bash", "-c", "echo begun; sleep 300"]}, "c1"),
    sse.completed(),
]


def test_a_prompt_streams_and_ends(workspace: Workspace, replay: Replay) -> None:
    replay([sse.text_delta("Hel"), sse.text_delta("lo"), sse.message("Hello"), sse.completed()])
    with AcpClient(workspace) as client:
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        chunks = client.of_kind("agent_message_chunk")
        assert client.text() == "Hello"
        assert len({chunk["messageId"] for chunk in chunks}) == 1
        (usage,) = client.of_kind("usage_update")
        assert usage["size"] > usage["used"] > 0
        (titled,) = client.of_kind("session_info_update")
        assert titled["title"] == "go"


def test_messages_of_a_turn_have_their_own_ids(workspace: Workspace, replay: Replay) -> None:
    look = sse.function_call("shell", {"command": ["true"]}, "c1")
    replay(
        [sse.text_delta("First."), sse.message("First."), look, sse.completed()],
        [sse.text_delta("Second."), sse.message("Second."), sse.completed()],
    )
    with AcpClient(workspace, *FULL) as client:
        client.prompt(client.new_session())
        first, second = client.of_kind("agent_message_chunk")
        assert first["messageId"] != second["messageId"]


def test_every_result_matches_the_schema(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Hello"), sse.completed()])
    with AcpClient(workspace) as client:
        check("InitializeResponse", client.initialize())
        session_params = {"cwd": str(workspace.directory), "mcpServers": []}
        new = client.call("session/new", session_params)
        check("NewSessionResponse", new)
        session = {"sessionId": new["sessionId"]}
        check("PromptResponse", client.call("session/prompt", prompt_params(new["sessionId"], "go")))
        check("SetSessionModeResponse", client.call("session/set_mode", session | {"modeId": "auto"}))
        option = {"configId": "model", "value": "gpt-5"}
        check("SetSessionConfigOptionResponse", client.call("session/set_config_option", session | option))
        check("ListSessionsResponse", client.call("session/list", {}))
        check("LoadSessionResponse", client.call("session/load", session | session_params))
        check("CloseSessionResponse", client.call("session/close", session))
        check("ResumeSessionResponse", client.call("session/resume", session | session_params))
        check("DeleteSessionResponse", client.call("session/delete", session))
        check("AuthenticateResponse", client.call("authenticate", {"methodId": "api-key"}))
        check("LogoutResponse", client.call("logout", {}))


def test_commands_are_listed_after_the_answer(workspace: Workspace, replay: Replay) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.new_session()
        assert "sessionId" in client.frames[-1]["result"]
        client.until(lambda: bool(client.updates))
        (listed,) = client.of_kind("available_commands_update")
        assert {"compact", "review", "undo", "init", "diff", "status"} <= {
            command["name"] for command in listed["availableCommands"]
        }


def test_a_cancelled_command_ends_the_prompt_as_cancelled(workspace: Workspace, replay: Replay) -> None:
    replay(SLEEP, [sse.message("Again."), sse.completed()])
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        statuses = [update["status"] for update in client.updates if update.get("toolCallId") == "c1"]
        assert statuses[-1] == "failed"
        assert client.drain(0.3) == 0
        assert client.prompt(session) == "end_turn"
        assert client.text() == "Again."


def test_a_cancellation_directly_after_the_prompt_counts(workspace: Workspace, replay: Replay) -> None:
    replay(SLEEP)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        assert client.drain(0.2) == 0


def test_a_withdrawn_prompt_is_answered_and_the_session_continues(
    workspace: Workspace, replay: Replay
) -> None:
    replay(SLEEP, [sse.message("Again."), sse.completed()])
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        client.notify("$/cancel_request", {"requestId": prompt})
        with pytest.raises(RequestFailed) as failed:
            client.result(prompt)
        assert failed.value.code == -32800
        assert client.prompt(session) == "end_turn"


def test_a_second_prompt_is_rejected_while_one_runs(workspace: Workspace, replay: Replay) -> None:
    replay(SLEEP)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        first = client.send("session/prompt", prompt_params(session, "go"))
        with pytest.raises(RequestFailed, match="still answering a prompt") as failed:
            client.prompt(session)
        assert failed.value.code == -32600
        client.notify("session/cancel", {"sessionId": session})
        assert client.result(first) == {"stopReason": "cancelled"}


def test_an_error_of_the_model_is_an_error_with_its_text(workspace: Workspace, replay: Replay) -> None:
    replay([sse.failed("server_is_sad", "out of order")])
    with AcpClient(workspace) as client:
        session = client.new_session()
        with pytest.raises(RequestFailed) as failed:
            client.prompt(session)
        assert failed.value.code in {-32603, -32000}
        assert failed.value.error["message"]


@pytest.mark.parametrize("end", ["eof", "term", "hup"])
def test_the_agent_exits_immediately_when_the_client_disconnects(
    workspace: Workspace, replay: Replay, end: str
) -> None:
    replay(SLEEP)
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        begun = time.monotonic()
        assert client.process.stdin is not None
        if end == "eof":
            client.process.stdin.close()
        else:
            client.process.send_signal({"term": signal.SIGTERM, "hup": signal.SIGHUP}[end])
        code = client.process.wait(10)
        took = time.monotonic() - begun
        assert code == {"eof": 0, "term": 143, "hup": 129}[end]
        assert took < 0.5  # 0.1 on a machine that does nothing else
        assert client.stderr() == ""
    with AcpClient(workspace, *FULL) as client:
        client.initialize()
        session_params = {"cwd": str(workspace.directory), "mcpServers": []}
        client.call("session/load", {"sessionId": session, **session_params})
        assert client.of_kind("user_message_chunk")[0]["content"]["text"] == "go"
        assert client.of_kind("tool_call")[0]["toolCallId"] == "c1"


def test_initialize_prints_only_its_answer_and_needs_no_home_or_key(workspace: Workspace) -> None:
    """The check of the registry of agents: a bare environment, one line, at least one usable method."""
    request = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":'
        b'{"terminal":true,"fs":{"readTextFile":true,"writeTextFile":true},"_meta":{"terminal_output":true,'
        b'"terminal-auth":true}}}}\n'
    )
    home = workspace.home / "absent"
    with subprocess.Popen(
        [CODE, "acp"],
        env={"PATH": workspace.environment["PATH"], "TERM": "dumb", "HOME": str(home), "CI": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request)
        process.stdin.flush()
        methods = json.loads(process.stdout.readline())["result"]["authMethods"]
        assert any(method.get("type", "agent") in {"agent", "terminal"} for method in methods)
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait(30) == 0


@pytest.mark.parametrize("option", ["approved", "denied", "abort"])
def test_the_user_decides_about_a_command(workspace: Workspace, replay: Replay, option: str) -> None:
    touch = sse.function_call("shell", {"command": ["touch", "made"]}, "c1")
    replay([touch, sse.completed()], [sse.message("Done."), sse.completed()])
    with AcpClient(workspace, "-a", "untrusted", "-s", "danger-full-access", capabilities=EDITOR) as client:
        client.answers["session/request_permission"] = choose(option)
        session = client.new_session()
        assert client.prompt(session) == ("cancelled" if option == "abort" else "end_turn")
        (asked,) = client.asked
        assert asked["params"]["toolCall"]["toolCallId"] == "c1"
        calls = [update for update in client.updates if update.get("toolCallId") == "c1"]
        assert (calls[0]["sessionUpdate"], calls[0]["status"]) == ("tool_call", "pending")
        assert all(update["sessionUpdate"] == "tool_call_update" for update in calls[1:])
        assert calls[-1]["status"] == ("completed" if option == "approved" else "failed")
    assert (workspace.directory / "made").exists() == (option == "approved")
