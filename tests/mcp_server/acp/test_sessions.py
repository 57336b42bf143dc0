"""Sessions outlive the process: a later one loads, resumes, lists, closes and deletes them."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support import ScriptedUpstream, stream
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient, RequestFailed, prompt_params
from support.command import Workspace

FULL = ("-s", "danger-full-access", "-a", "never")
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** Add File: b.txt\n+new\n*** End Patch"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def session_params(workspace: Workspace, **more: Any) -> dict[str, Any]:
    return {"cwd": str(workspace.directory), "mcpServers": [], **more}


def worked() -> list[list[dict[str, Any]]]:
    plan = {"plan": [{"step": "look", "status": "in_progress"}]}
    return [
        [
            sse.reasoning("Thinking.", "secret"),
            sse.message("Let me."),
            sse.function_call("shell", {"command": ["bash", "-c", "echo hello; exit 3"]}, "c1"),
            sse.completed(),
        ],
        [sse.custom_tool_call("apply_patch", PATCH, "p1"), sse.completed()],
        [sse.function_call("update_plan", plan, "u1"), sse.completed()],
        [sse.message("All done."), sse.completed()],
    ]


@pytest.mark.parametrize("capabilities", [{}, EDITOR], ids=["bare", "editor"])
def test_a_load_shows_everything_before_its_answer(
    workspace: Workspace, replay: Replay, capabilities: dict[str, Any]
) -> None:
    replay(*worked())
    (workspace.directory / "a.txt").write_text("one\n")
    with AcpClient(workspace, *FULL, capabilities=capabilities) as client:
        session = client.new_session()
        blocks = [
            {"type": "text", "text": "do it"},
            {"type": "image", "mimeType": "image/png", "data": PIXEL},
            {"type": "resource_link", "uri": "file:///w/a%20b.py", "name": "a b.py"},
            {
                "type": "resource",
                "resource": {"uri": "file:///w/c.py", "text": "x = 1", "mimeType": "text/x-python"},
            },
        ]
        client.call("session/prompt", {"sessionId": session, "prompt": blocks})
        live = client.updates
    replay([sse.message("Again."), sse.completed()])
    with AcpClient(workspace, *FULL, capabilities=capabilities) as client:
        client.initialize()
        client.call("session/load", {"sessionId": session, **session_params(workspace)})
        shown = [*client.updates]
        users = [update["content"] for update in shown if update["sessionUpdate"] == "user_message_chunk"]
        assert users[0] == {"type": "text", "text": "do it"}
        assert users[1] == {"type": "image", "mimeType": "image/png", "data": PIXEL}
        assert "/w/a b.py" in users[2]["text"]
        assert "x = 1" in users[3]["text"]
        for kind in ("agent_message_chunk", "agent_thought_chunk"):
            assert [u["content"]["text"] for u in shown if u["sessionUpdate"] == kind] == [
                u["content"]["text"] for u in live if u["sessionUpdate"] == kind
            ]
        # The first response of the scenario has two items at one position of its stream; all others keep their ids.
        ids = [
            [u["messageId"] for u in updates if u["sessionUpdate"] == "agent_message_chunk"][-1]
            for updates in (live, shown)
        ]
        assert ids[0] == ids[1]
        for updates in (live, shown):
            ends = {
                u["toolCallId"]: u["status"] for u in updates if u.get("status") in {"completed", "failed"}
            }
            assert ends == {"c1": "failed", "p1": "completed"}
            titles = [u["title"] for u in updates if u["sessionUpdate"] == "tool_call"]
            assert titles == ["`echo hello; exit 3`", "Edit `a.txt`, `b.txt`"]
            assert "hello" in str([u for u in updates if u.get("toolCallId") == "c1"])
            (edited,) = [u for u in updates if u["sessionUpdate"] == "tool_call" and u["toolCallId"] == "p1"]
            assert edited["content"][0]["newText"] == "two\n"
            assert {u["sessionUpdate"] for u in updates} >= {"plan_update" if capabilities else "plan"}
        assert client.prompt(session) == "end_turn"
        assert client.text().endswith("Again.")


FAILING = {
    "bad arguments": sse.function_call("shell", {"command": 5}, "c1"),
    "an unknown tool": sse.function_call("unheard_of", {}, "c1"),
    "no such image": sse.function_call("view_image", {"path": "missing.png"}, "c1"),
    "a patch that does not fit": sse.custom_tool_call("apply_patch", PATCH, "c1"),
    "a script": sse.function_call("exec_command", {"cmd": "echo out; exit 3"}, "c1"),
    "a missing directory": sse.function_call("shell", {"command": ["ls"], "workdir": "missing"}, "c1"),
}


@pytest.mark.parametrize("failing", FAILING)
def test_a_call_that_failed_is_loaded_as_failed(workspace: Workspace, replay: Replay, failing: str) -> None:
    succeeding = sse.function_call("exec_command", {"cmd": "echo out"}, "c2")
    replay(
        [FAILING[failing], sse.completed()],
        [succeeding, sse.completed()],
        [sse.message("Done."), sse.completed()],
    )
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        client.prompt(session)
        live = {u["toolCallId"]: u["status"] for u in client.updates if "status" in u}
    with AcpClient(workspace, *FULL) as client:
        client.initialize()
        client.call("session/load", {"sessionId": session, **session_params(workspace)})
        loaded = {u["toolCallId"]: u["status"] for u in client.updates if "status" in u}
    assert live == loaded == {"c1": "failed", "c2": "completed"}


def test_a_session_without_a_prompt_is_resumed_by_another_process(
    workspace: Workspace, replay: Replay
) -> None:
    replay([sse.message("Here."), sse.completed()])
    with AcpClient(workspace) as client:
        session = client.new_session()
        assert [one["sessionId"] for one in client.call("session/list", {})["sessions"]] == [session]
        client.process.kill()
        client.process.wait()
    with AcpClient(workspace) as client:
        client.initialize()
        assert [one["sessionId"] for one in client.call("session/list", {})["sessions"]] == [session]
        state = client.call("session/resume", {"sessionId": session, "cwd": str(workspace.directory)})
        assert state["modes"]["currentModeId"] == "read-only"
        assert client.of_kind("user_message_chunk") == []
        assert client.prompt(session) == "end_turn"


def test_a_session_that_was_never_prompted_leaves_the_list_after_a_day(
    workspace: Workspace, replay: Replay
) -> None:
    replay()
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.call("session/close", {"sessionId": session})
        (record,) = workspace.home.glob("sessions/*/*/*/rollout-*.jsonl")
        os.utime(record, (time.time() - 90_000,) * 2)
        assert client.call("session/list", {}) == {"sessions": []}


def test_loading_waits_for_a_session_that_is_being_released(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Here."), sse.completed()])
    with AcpClient(workspace) as first, AcpClient(workspace) as second:
        session = first.new_session()
        second.initialize()
        with pytest.raises(RequestFailed, match="is open in process"):
            second.call("session/resume", {"sessionId": session, **session_params(workspace)})
        request = second.send("session/resume", {"sessionId": session, **session_params(workspace)})
        assert first.process.stdin is not None
        first.process.stdin.close()
        assert "modes" in second.result(request)


def test_the_modes_and_options_of_a_session_are_restored(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Here."), sse.completed()])
    (workspace.home / "config.toml").write_text('sandbox_mode = "workspace-write"\n')
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.call("session/set_mode", {"sessionId": session, "modeId": "read-only"})
        client.call(
            "session/set_config_option", {"sessionId": session, "configId": "model", "value": "gpt-5"}
        )
        client.prompt(session)
    with AcpClient(workspace) as client:
        client.initialize()
        state = client.call("session/load", {"sessionId": session, **session_params(workspace)})
        assert state["modes"]["currentModeId"] == "read-only"
        values = {option["id"]: option["currentValue"] for option in state["configOptions"]}
        assert values == {"mode": "read-only", "model": "gpt-5", "reasoning_effort": "default"}


def test_sessions_are_listed_closed_and_deleted(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Here."), sse.completed()])
    other = workspace.directory / "other"
    other.mkdir()
    with AcpClient(workspace) as client:
        session = client.new_session()
        client.prompt(session, "the first words")
        (listed,) = client.call("session/list", {"cwd": str(workspace.directory)})["sessions"]
        assert (listed["sessionId"], listed["title"]) == (session, "the first words")
        assert listed["updatedAt"].endswith("Z")
        assert client.call("session/list", {"cwd": str(other)}) == {"sessions": []}
        client.call("session/close", {"sessionId": session})
        client.call("session/close", {"sessionId": session})
        with pytest.raises(RequestFailed) as failed:
            client.prompt(session)
        assert failed.value.code == -32002
        client.call("session/delete", {"sessionId": session})
        assert client.call("session/list", {}) == {"sessions": []}
        for method in ("session/load", "session/resume", "session/close", "session/delete"):
            with pytest.raises(RequestFailed) as failed:
                client.call(method, {"sessionId": session, **session_params(workspace)})
            assert (failed.value.code, failed.value.error["data"]) == (-32002, {"sessionId": session})


@pytest.mark.parametrize(
    "session", ["../../etc/passwd", "/etc/passwd", "x.jsonl", "a" * 100_000, "\ud800", "0" * 36]
)
def test_an_invalid_id_does_not_reach_the_file_system(
    workspace: Workspace, replay: Replay, session: str
) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.initialize()
        for method in ("session/load", "session/delete", "session/prompt"):
            with pytest.raises(RequestFailed) as failed:
                client.call(method, {**prompt_params(session, "go"), **session_params(workspace)})
            assert failed.value.code in {-32002, -32602}
            assert len(str(failed.value.error)) < 2_000


def test_a_session_can_be_closed_during_a_prompt(workspace: Workspace, replay: Replay) -> None:
    replay(
        [
            sse.function_call("shell", {"command": ["bash", "-c", "echo begun; sleep 300"]}, "c1"),
            sse.completed(),
        ]
    )
    with AcpClient(workspace, *FULL) as client:
        session = client.new_session()
        prompt = client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        closed = client.send("session/close", {"sessionId": session})
        assert client.result(prompt) == {"stopReason": "cancelled"}
        assert client.result(closed) == {}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cwd": "relative"}, "cwd must be an absolute path"),
        ({"cwd": "/does/not/exist"}, "is not a directory"),
        ({"cwd": "/\0"}, "cwd must be an absolute path"),
        ({"cwd": 7}, "cwd must be a non-empty string"),
        ({"mcpServers": 7}, "mcpServers must be a list"),
        ({"mcpServers": [{"name": "x"}]}, "mcpServers: 'x'"),
        ({"mcpServers": [{"name": "x", "type": "http", "url": 5, "headers": []}]}, "mcpServers: 'x': url"),
        ({"mcpServers": [{"name": "x", "command": "y", "args": [], "env": [{"name": "A"}]}]}, "env must be"),
        ({"additionalDirectories": ["x"]}, "additionalDirectories must be an absolute path"),
        ({"additionalDirectories": ["/"]}, "contains the agent's own files"),
        ({"systemPrompt": {"mode": "blend", "content": []}}, "systemPrompt.mode 'blend' is not known"),
        ({"systemPrompt": {"mode": "append", "content": [{"type": "image"}]}}, "systemPrompt.content"),
    ],
)
def test_invalid_parameters_are_named(
    workspace: Workspace, replay: Replay, params: dict[str, Any], message: str
) -> None:
    replay()
    with AcpClient(workspace) as client:
        client.initialize()
        with pytest.raises(RequestFailed) as failed:
            client.call("session/new", {**session_params(workspace), **params})
        assert failed.value.code == -32602
        assert message in failed.value.error["message"]


def test_additional_directories_are_writable_if_the_workspace_is(
    workspace: Workspace, replay: Replay, tmp_path: Path
) -> None:
    second = tmp_path / "second"
    second.mkdir()
    write = {"command": ["bash", "-c", f"echo x > {second}/made"]}
    replay(
        [sse.function_call("shell", write, "c1"), sse.completed()],
        [sse.message("Done."), sse.completed()],
    )
    with AcpClient(
        workspace,
        "-s",
        "workspace-write",
        "-a",
        "never",
        "-c",
        "sandbox_workspace_write.exclude_slash_tmp=true",
    ) as client:
        session = client.new_session(additionalDirectories=[str(second)])
        client.prompt(session)
        (listed,) = client.call("session/list", {})["sessions"]
        assert listed["additionalDirectories"] == [str(second)]
    assert (second / "made").exists() or os.environ.get("NO_SANDBOX")


@pytest.mark.parametrize(
    ("params", "override"),
    [
        ({"systemPrompt": {"mode": "append", "content": [{"type": "text", "text": "Be brief."}]}}, False),
        ({"systemPrompt": {"mode": "override", "content": [{"type": "text", "text": "Be brief."}]}}, True),
        ({"_meta": {"systemPrompt": {"append": "Be brief."}}}, False),
        ({"_meta": {"systemPrompt": "Be brief."}}, False),
    ],
)
def test_the_clients_system_prompt_is_sent_to_the_model(
    workspace: Workspace, upstream: ScriptedUpstream, params: dict[str, Any], override: bool
) -> None:
    workspace.configure(upstream.base_url)
    upstream.add(stream(sse.message("Yes."), sse.completed()))
    with AcpClient(workspace) as client:
        assert client.prompt(client.new_session(**params)) == "end_turn"
    body = upstream.requests[-1].json
    assert (body["instructions"] == "Be brief.") == override
    assert "Be brief." in str(body)
