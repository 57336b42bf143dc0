"""Plans proposed to MCP clients: a client that shows forms is asked, another decides with its next prompt."""

import json
import subprocess
from typing import Any

import pytest

from mcp_server.modern import FORMS, TASKS, raw_client
from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

PLAN = [sse.message("Easy.\n\n<proposed_plan>\n1. touch made\n</proposed_plan>"), sse.completed()]
RUN = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE = [sse.message("bye"), sse.completed()]
CONFIG = {"collaboration_mode": "plan", "sandbox_mode": "danger-full-access", "approval_policy": "never"}
START = {"prompt": "make it", "config": CONFIG}
SHOWN = "Easy.\n\n1. touch made\n"


def choose(plan: str, **more: str) -> dict[str, Any]:
    return {"action": "accept", "content": {"plan": plan, **more}}


class Handshake:
    """A client of the handshake era that answers each question with the next of `answers`, then cancels."""

    def __init__(self, process: "subprocess.Popen[str]", answers: list[Any]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._answers = answers
        self._number = 1
        self.asked: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []

    def send(self, **message: Any) -> None:
        self._in.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._in.flush()

    def request(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self.send(id=self._number, method=method, params=params)
        for line in self._out:
            message = json.loads(line)
            if message.get("method") == "elicitation/create":
                self.asked.append(message["params"])
                if self._answers:
                    self.send(id=message["id"], result=self._answers.pop(0))
                else:
                    self.send(method="notifications/cancelled", params={"requestId": self._number})
                    return {}
            elif message.get("method") == "session/update":
                self.updates.append(message["params"]["update"])
            elif message.get("id") == self._number:
                result: dict[str, Any] = message["result"]
                return result
        raise AssertionError("the server has ended")

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return self.request("tools/call", name=tool, arguments=arguments)


def start(workspace: Workspace, answers: list[Any] | None, *responses: Any) -> "subprocess.Popen[str]":
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    return workspace.start("mcp-server", "-c", "acp.enabled=true", stdin=subprocess.PIPE)


def shake_hands(process: "subprocess.Popen[str]", answers: list[Any] | None) -> Handshake:
    client = Handshake(process, answers or [])
    capabilities: dict[str, Any] = {} if answers is None else {"elicitation": {}}
    version, me = "2025-06-18", {"name": "t", "version": "1"}
    client.request("initialize", protocolVersion=version, capabilities=capabilities, clientInfo=me)
    client.send(method="notifications/initialized")
    return client


def end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0


def expecting(text: str, response: Any) -> dict[str, Any]:
    """Return a response to a request that contains `text`."""
    return {"expect": [{"contains": text}], "stream": response}


@pytest.mark.parametrize(
    ("answers", "responses", "content", "made"),
    [
        ([choose("accept")], [PLAN, expecting("I accept the plan", RUN), BYE], "bye", True),
        (
            [choose("revise", changes="use a script"), choose("accept")],
            [PLAN, expecting("use a script", PLAN), RUN, BYE],
            "bye",
            True,
        ),
        ([choose("reject")], [PLAN], SHOWN, False),
        ([{"action": "decline"}], [PLAN], SHOWN, False),
        ([{"action": "cancel"}], [PLAN], SHOWN, False),
        ([{"action": "accept", "content": {}}], [PLAN], SHOWN, False),
        ([None], [PLAN], SHOWN, False),
    ],
)
def test_a_client_that_shows_forms_is_asked_about_the_plan(
    workspace: Workspace, answers: list[Any], responses: list[Any], content: str, made: bool
) -> None:
    count = len(answers)
    with start(workspace, answers, *responses) as process:
        client = shake_hands(process, answers)
        result = client.call("codex", **START)
        end(process)
    assert result["structuredContent"]["content"] == content
    assert len(client.asked) == count
    assert "1. touch made\n\nCarry out this plan?" in client.asked[0]["message"]
    assert "proposed_plan" not in client.asked[0]["message"]
    assert (workspace.directory / "made").exists() == made


@pytest.mark.parametrize("answers", [None, [choose("reject")]])
def test_a_parameter_ends_plan_mode(workspace: Workspace, answers: list[Any] | None) -> None:
    asks = answers is not None
    with start(workspace, answers, PLAN, expecting("Plan mode is off", RUN), BYE) as process:
        client = shake_hands(process, answers)
        planned = client.call("codex", **START)
        assert planned["structuredContent"]["content"] == SHOWN
        notes = [part["text"] for part in planned["content"][1:]]
        assert [note for note in notes if "`collaboration-mode` set to `default`" in note] == notes
        assert len(notes) == (0 if asks else 1)  # who answers needs no advice
        conversation = planned["structuredContent"]["conversationId"]
        go_on = {"conversationId": conversation, "prompt": "Do it.", "collaboration-mode": "default"}
        done = client.call("codex-reply", **go_on)
        assert done["structuredContent"]["content"] == "bye"
        end(process)
    assert (workspace.directory / "made").exists()


def test_a_prompt_of_a_session_leaves_plan_mode_and_shows_no_tags(workspace: Workspace) -> None:
    with start(workspace, None, PLAN, RUN, BYE) as process:
        client = shake_hands(process, None)
        opened = client.call("session/new", cwd=str(workspace.directory))
        session = opened["structuredContent"]["sessionId"]
        text = [{"type": "text", "text": "make it"}]
        planned = client.call("session/prompt", sessionId=session, prompt=text, collaborationMode="plan")
        assert "`collaborationMode` set to `default`" in planned["content"][1]["text"]
        shown = "".join(
            update["content"]["text"]
            for update in client.updates
            if update["sessionUpdate"] == "agent_message_chunk"
        )
        assert shown == SHOWN
        client.call("session/prompt", sessionId=session, prompt=text, collaborationMode="default")
        end(process)


def test_a_call_that_is_cancelled_while_its_plan_waits_frees_the_conversation(workspace: Workspace) -> None:
    with start(workspace, [], PLAN, BYE) as process:
        client = shake_hands(process, [])
        assert client.call("codex", **START) == {}
        [listed] = (workspace.home / "sessions").rglob("*.jsonl")
        conversation = listed.stem[-36:]
        done = client.call("codex-reply", conversationId=conversation, prompt="and now?")
        assert done["structuredContent"]["content"] == "bye"
        end(process)


@pytest.mark.parametrize(
    ("answers", "responses", "content", "made"),
    [
        ([choose("accept")], [PLAN, RUN, BYE], "bye", True),
        (
            [choose("revise", changes="use a script"), choose("accept")],
            [PLAN, expecting("use a script", PLAN), RUN, BYE],
            "bye",
            True,
        ),
        ([choose("revise"), choose("reject")], [PLAN, PLAN], SHOWN, False),
        ([None], [PLAN], SHOWN, False),
    ],
)
def test_each_plan_is_a_round_trip(
    workspace: Workspace, answers: list[Any], responses: list[Any], content: str, made: bool
) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))
    with raw_client(workspace) as client:
        result = client.call("codex", START, **FORMS)
        for answer in answers:
            [(key, asked)] = result["inputRequests"].items()
            assert "Carry out this plan?" in asked["params"]["message"]
            params = {"name": "codex", "arguments": START, "requestState": result["requestState"]}
            responses_by_key = {"inputResponses": {key: answer}}
            result = client.request("tools/call", params | responses_by_key, **FORMS)["result"]
        assert result["structuredContent"]["content"] == content
    assert (workspace.directory / "made").exists() == made


def test_a_client_of_2026_without_forms_is_told_how_to_decide(workspace: Workspace) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [PLAN]))
    with raw_client(workspace) as client:
        planned = client.call("codex", START)
    assert planned["structuredContent"]["content"] == SHOWN
    assert "`collaboration-mode` set to `default`" in planned["content"][1]["text"]


def test_a_task_waits_for_the_answers_to_its_plans(workspace: Workspace) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [PLAN, PLAN]))
    abilities = FORMS | TASKS
    with raw_client(workspace) as client:
        task = client.call("codex", START, **abilities)["taskId"]
        for choice in ("revise", "reject"):
            [key] = _state(client, task, abilities, "input_required")["inputRequests"]
            answers = {"taskId": task, "inputResponses": {key: choose(choice)}}
            client.request("tasks/update", answers, **abilities)
        state = _state(client, task, abilities, "completed")
        assert state["result"]["structuredContent"]["content"] == SHOWN


def _state(client: Any, task: str, abilities: dict[str, Any], status: str) -> dict[str, Any]:
    while True:
        state: dict[str, Any] = client.request("tasks/get", {"taskId": task}, **abilities)["result"]
        if state["status"] == status:
            return state
        assert state["status"] == "working"
