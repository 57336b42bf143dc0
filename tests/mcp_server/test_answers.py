"""Answers to approvals from clients without an SDK."""

import json
import subprocess
from typing import Any

import pytest

from code_core.protocol.policies import ReviewDecision
from code_mcp_server.approvals import ClientAnswer, answer_in
from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

APPROVED, DENIED, ABORT = ReviewDecision.APPROVED, ReviewDecision.DENIED, ReviewDecision.ABORT
CAPABLE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"elicitation": {}},
    "clientInfo": {"name": "t", "version": "1"},
}


@pytest.mark.parametrize(
    ("answer", "decision"),
    [
        ({"decision": "approved"}, APPROVED),
        ({"action": "accept", "content": {"decision": "approved"}}, APPROVED),
        ({"action": "accept", "content": {"decision": "abort"}}, ABORT),
        ({"action": "accept"}, DENIED),
        ({"action": "accept", "content": {}}, DENIED),
        ({"action": "accept", "content": None}, DENIED),
        ({"action": "accept", "content": {"decision": True}}, DENIED),
        ({"action": "accept", "content": {"decision": ["approved"]}}, DENIED),
        ({"action": "accept", "content": {"decision": "APPROVED"}}, DENIED),
        ({"action": "decline", "content": {"decision": "approved"}}, DENIED),
        ({"action": "cancel", "decision": "approved"}, ABORT),
        ({"action": "yes", "content": {"decision": "approved"}}, DENIED),
        ({"action": ["accept"], "decision": "approved"}, DENIED),
        ({}, DENIED),
        (None, DENIED),
        ("approved", DENIED),
        (["approved"], DENIED),
    ],
)
def test_only_a_decision_by_name_approves(answer: object, decision: ReviewDecision) -> None:
    assert answer_in(answer).decision is decision


def test_an_answer_may_have_feedback_or_a_rule() -> None:
    assert answer_in({"action": "decline", "content": {"feedback": "no"}}) == ClientAnswer(DENIED, "no")
    always = {"decision": "approved_prefix", "rule": "[[rule]]"}
    expected = ClientAnswer(ReviewDecision.APPROVED_PREFIX, None, "[[rule]]")
    assert answer_in({"action": "accept", "content": always}) == answer_in(always) == expected


QUESTION = {"questions": [{"id": "q", "header": "H", "question": "Which?", "options": [{"label": "A"}]}]}


@pytest.mark.parametrize(
    ("capabilities", "result", "shown"),
    [
        ({"elicitation": {}}, {"action": "accept", "content": {"choice_1": "1. A"}}, '["A"]'),
        ({"elicitation": {}}, {"action": "accept", "content": {"words_1": "B"}}, '["B"]'),
        ({"elicitation": {}}, {"action": "decline"}, "the user did not answer"),
        ({"elicitation": {}}, None, "the user did not answer"),
        ({}, None, "no user is available to answer"),
    ],
)
def test_a_question_from_the_model_is_a_form_if_the_client_shows_forms(
    workspace: Workspace, capabilities: dict[str, Any], result: Any, shown: str
) -> None:
    asks = [sse.function_call("request_user_input", QUESTION, "c1"), sse.completed()]
    bye = {
        "expect": [{"call_id": "c1", "output_contains": shown}],
        "stream": [sse.message("bye"), sse.completed()],
    }
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [asks, bye]))
    with workspace.start("mcp-server", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def send(message: dict[str, Any]) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()

        send({"id": 1, "method": "initialize", "params": CAPABLE | {"capabilities": capabilities}})
        send({"method": "notifications/initialized"})
        send({"id": 2, "method": "tools/call", "params": {"name": "codex", "arguments": {"prompt": "go"}}})
        asked = 0
        for line in process.stdout:
            message = json.loads(line)
            if message.get("method") == "elicitation/create":
                asked += 1
                assert "the model│ Which?" in message["params"]["message"]
                send({"id": message["id"], "result": result})
            if message.get("id") == 2 and ("result" in message or "error" in message):
                break
        process.stdin.close()
        assert process.wait(30) == 0
    assert message["result"]["structuredContent"]["content"] == "bye"
    assert asked == len(capabilities)


@pytest.mark.parametrize("result", ["null", '"yes"', "[]", "{}", '{"action": null}', "5"])
def test_an_answer_that_is_not_an_object_is_a_denial_and_does_not_hang(
    workspace: Workspace, result: str
) -> None:
    touch = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
    scenario = write_scenario(workspace.home, [touch, [sse.message("bye"), sse.completed()]])
    workspace.environment["CODE_REPLAY"] = str(scenario)
    with workspace.start("mcp-server", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def send(message: dict[str, Any]) -> None:
            assert process.stdin is not None
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            process.stdin.flush()

        send({"id": 1, "method": "initialize", "params": CAPABLE})
        send({"method": "notifications/initialized"})
        arguments = {"prompt": "go", "approval-policy": "untrusted"}
        send({"id": 2, "method": "tools/call", "params": {"name": "codex", "arguments": arguments}})
        for line in process.stdout:
            message = json.loads(line)
            if message.get("method") == "elicitation/create":
                process.stdin.write(f'{{"jsonrpc": "2.0", "id": {message["id"]}, "result": {result}}}\n')
                process.stdin.flush()
            if message.get("id") == 2 and "result" in message:
                break
        process.stdin.close()
        assert process.wait(30) == 0
    assert message["result"]["structuredContent"]["content"] == "bye"
    assert not (workspace.directory / "made").exists()
