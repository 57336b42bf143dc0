"""A client learns that an MCP server has withdrawn the question that the client shows."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.load import ConfigOverrides
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.events import ErrorEvent
from code_core.protocol.ops import OverrideTurnContext, TextInput, UserInput
from code_core.protocol.policies import CollaborationMode
from code_core.session.manager import ConversationManager
from code_mcp_server.turns import Turn
from mcp_server.modern import FORMS, TASKS, raw_client
from support import responses_events as sse
from support.acp_client import EDITOR, AcpClient
from support.command import Workspace
from support.scenario import write_scenario

TESTS = str(Path(__file__).parent.parent)
ASK = [sse.function_call("forms__ask", {}, "c1"), sse.completed()]
BYE = [sse.message("bye"), sse.completed()]


@pytest.fixture(params=["cancel", "end"])
def go(request: pytest.FixtureRequest, workspace: Workspace) -> Path:
    """The file that makes the server withdraw its question; it then cancels its request, or ends."""
    file = workspace.home / "go"
    arguments = json.dumps(["-S", "-m", "mcp_client.servers.withdraws", request.param, str(file)])
    (workspace.home / "config.toml").write_text(
        f'[mcp_servers.forms]\ncommand = "{sys.executable}"\nargs = {arguments}\n'
        f'env = {{ PYTHONPATH = "{TESTS}", PYTHONDONTWRITEBYTECODE = "1" }}\n'
    )
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [ASK, BYE]))
    return file


def test_an_editor_gets_the_cancellation_of_its_form(workspace: Workspace, go: Path) -> None:
    with AcpClient(workspace, capabilities=EDITOR) as client:
        client.answers["elicitation/create"] = lambda _: go.touch()
        session = client.new_session()
        assert client.prompt(session) == "end_turn"
        (asked,) = client.asked
        cancelled = [one["params"] for one in client.notified if one["method"] == "$/cancel_request"]
        assert cancelled == [{"requestId": asked["id"]}]
        client.write({"id": asked["id"], "result": {"action": "accept", "content": {"first": "late"}}})
        client.call("session/close", {"sessionId": session})


def test_a_client_of_the_handshake_era_gets_the_cancellation_of_its_elicitation(
    workspace: Workspace, go: Path
) -> None:
    with workspace.start("mcp-server", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def send(**message: Any) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()

        me = {"name": "t", "version": "1"}
        capable = {"protocolVersion": "2025-06-18", "capabilities": {"elicitation": {}}, "clientInfo": me}
        send(id=1, method="initialize", params=capable)
        send(method="notifications/initialized")
        send(id=2, method="tools/call", params={"name": "codex", "arguments": {"prompt": "go"}})
        asked, cancelled = [], []
        for line in process.stdout:
            message = json.loads(line)
            if message.get("method") == "elicitation/create":
                asked.append(message["id"])
                go.touch()
            elif message.get("method") == "notifications/cancelled":
                cancelled.append(message["params"]["requestId"])
            elif message.get("id") == 2:
                break
        process.stdin.close()
        assert process.wait(30) == 0
    assert message["result"]["structuredContent"]["content"] == "bye"
    assert len(asked) == 1
    assert cancelled == asked


def test_a_task_no_longer_asks_what_was_withdrawn(workspace: Workspace, go: Path) -> None:
    with raw_client(workspace) as client:
        task = client.call("codex", {"prompt": "go"}, **TASKS, **FORMS)
        states: list[str] = []
        deadline = time.monotonic() + 30
        while not states or states[-1] != "completed":
            assert time.monotonic() < deadline, states
            polled = client.request("tasks/get", {"taskId": task["taskId"]}, **TASKS, **FORMS)["result"]
            states.append(polled["status"])
            if states[-1] == "input_required" and not go.exists():
                go.touch()
        assert "input_required" in states
        assert polled["result"]["structuredContent"]["content"] == "bye"


def test_a_turn_whose_answer_to_a_plan_is_refused_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = [sse.message("<proposed_plan>\n1. touch made\n</proposed_plan>"), sse.completed()]
    monkeypatch.setenv("CODE_HOME", str(tmp_path))
    monkeypatch.setenv("CODE_REPLAY", str(write_scenario(tmp_path, [plan])))
    overrides = ConfigOverrides(cwd=tmp_path)

    async def main() -> None:
        with ConversationManager() as manager, anyio.fail_after(60):
            async with await manager.new(overrides) as conversation:
                await conversation.submit(OverrideTurnContext(collaboration_mode=CollaborationMode.PLAN))
                turn = Turn(conversation, asks_about_plans=True)
                await turn.submit(UserInput(items=[TextInput(text="make it")]))
                refused = False

                async def answer_late(_: object, event: Any, __: object) -> None:
                    nonlocal refused
                    if turn.question_in(event) is not None:
                        assert turn.plan is not None
                        default = CollaborationMode.DEFAULT
                        await conversation.submit(OverrideTurnContext(collaboration_mode=default))
                        await turn.reply(ResolvePlan(id=turn.plan.id, action="accept"))
                        refused = True

                end = await turn.run(answer_late)
                assert refused
                assert isinstance(end, ErrorEvent)
                assert end.code == "no_plan"
                assert "no plan with the id" in end.message

    anyio.run(main)
