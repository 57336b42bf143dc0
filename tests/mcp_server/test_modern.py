"""`code mcp-server` in the revision 2026-07-28, and next to the handshake."""

from typing import Any

import pytest

from code_mcp_server import eras
from mcp_server.modern import FORMS, TASKS, RawClient, modern, raw_client
from support import responses_events as sse
from support.command import Workspace
from support.scenario import write_scenario

TOUCH = [sse.function_call("shell", {"command": ["touch", "made"]}, "c1"), sse.completed()]
BYE = [sse.message("bye"), sse.completed()]
ASK = {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"}
APPROVED = {"action": "accept", "content": {"decision": "approved"}}


def replay(workspace: Workspace, *responses: list[dict[str, Any]]) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


def again(client: RawClient, first: dict[str, Any], answers: object, **changes: Any) -> dict[str, Any]:
    """The answer to the same call once more, with answers."""
    params = {"name": "codex", "arguments": ASK, "requestState": first["requestState"]}
    if answers is not None:
        params["inputResponses"] = answers
    return client.request("tools/call", params | changes, **FORMS)


def test_the_versions_match_the_sdks() -> None:
    from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

    assert tuple(HANDSHAKE_PROTOCOL_VERSIONS) == eras.HANDSHAKE_VERSIONS
    assert tuple(MODERN_PROTOCOL_VERSIONS) == eras.MODERN_VERSIONS


def test_the_server_is_discovered_and_lists_its_tools(workspace: Workspace) -> None:
    with raw_client(workspace) as client:
        found = client.request("server/discover")["result"]
        assert found["supportedVersions"] == ["2026-07-28"]
        assert found["resultType"] == "complete"
        assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "code"
        listed = client.request("tools/list")["result"]
        assert [tool["name"] for tool in listed["tools"]] == ["codex", "codex-reply"]
        assert (listed["ttlMs"], listed["cacheScope"], listed["resultType"]) == (
            60_000,
            "private",
            "complete",
        )
        same = client.request("tools/list", experimental={"acp": {}})["result"]
        assert same == listed  # a list may not depend on who asks


@pytest.mark.parametrize(
    ("message", "code", "data"),
    [
        (("tools/list", {}), -32600, None),  # neither initialized nor enveloped
        (("server/discover", {}), -32602, None),
        (("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": 7}}), -32602, None),
        (
            ("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2031-01-01"}}),
            -32022,
            {"supported": ["2026-07-28"], "requested": "2031-01-01"},
        ),
        (("tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}), -32602, None),
        (("ping", modern()), -32601, None),
        (("resources/list", modern()), -32601, None),
        (("tools/call", modern({"name": 3})), -32602, None),
        (("tools/call", modern({"name": "codex", "arguments": []})), -32602, None),
        (("tasks/get", modern({"taskId": "x"}, **TASKS)), -32602, None),
        (("tasks/get", modern({"taskId": "x"})), -32021, {"requiredCapabilities": TASKS}),
        (("tools/call", modern({"name": "codex", "requestState": "x"})), -32602, None),
    ],
)
def test_invalid_requests_get_an_error(
    workspace: Workspace, message: tuple[str, dict[str, Any]], code: int, data: Any
) -> None:
    with raw_client(workspace) as client:
        error = client.answer(client.send(*message))["error"]
        assert (error["code"], error.get("data")) == (code, data)
        assert client.request("server/discover")["result"]  # and the server continues


def test_a_connection_has_only_one_era(workspace: Workspace) -> None:
    hello = {"protocolVersion": "2026-07-28", "capabilities": {}}
    with raw_client(workspace) as client:
        client.request("server/discover")
        refused = client.answer(client.send("initialize", hello))["error"]
        assert refused["code"] == -32022
        assert client.answer(client.send("tools/list"))["error"]["code"] == -32602
    with raw_client(workspace) as client:
        assert client.answer(client.send("initialize", hello))["result"]["protocolVersion"] == "2025-11-25"
        assert client.request("tools/list")["error"]["code"] == -32600
        assert client.answer(client.send("ping"))["result"] == {}
        assert client.answer(client.send("server/discover"))["error"]["code"] == -32601


def test_an_approval_is_a_round_trip(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        first = client.call("codex", ASK, **FORMS)
        assert first["resultType"] == "input_required"
        (key, asked), *others = first["inputRequests"].items()
        assert not others
        assert asked["method"] == "elicitation/create"
        assert "$ touch made" in asked["params"]["message"]
        assert first["_meta"]["code/approvals"][key]["code_command"] == ["touch", "made"]
        before = len(client.events())
        done = again(client, first, {key: APPROVED, "unasked": {}})["result"]
        assert done["structuredContent"]["content"] == "bye"
        assert done["structuredContent"]["threadId"] == done["structuredContent"]["conversationId"]
        assert "exec_command_end" in client.events()[before:]
        assert (workspace.directory / "made").exists()
        used = again(client, first, {key: APPROVED})["error"]
        assert (used["code"], used["message"]) == (-32602, "invalid or expired requestState")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"action": "decline"}, "bye"),
        ({"action": "accept", "content": {"decision": "denied"}}, "bye"),
        ({"action": "cancel"}, ""),
        (None, "bye"),
        ([], "bye"),
    ],
)
def test_a_rejection_is_a_rejection(workspace: Workspace, answer: object, text: str) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        first = client.call("codex", ASK, **FORMS)
        done = again(client, first, dict.fromkeys(first["inputRequests"], answer))["result"]
        assert done["structuredContent"]["content"] == text
        assert not (workspace.directory / "made").exists()


def test_a_state_is_for_one_call_even_if_an_answer_is_missing(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        first = client.call("codex", ASK, **FORMS)
        other = again(client, first, {}, arguments=ASK | {"prompt": "something else"})
        assert other["error"]["code"] == -32602
        wrong: tuple[object, ...] = (7, "x", [])
        for answers in wrong:
            assert again(client, first, answers)["error"]["code"] == -32602
        done = again(client, first, dict.fromkeys(first["inputRequests"], APPROVED))["result"]
        assert done["structuredContent"]["content"] == "bye"  # wrong attempts have not used up the state


def test_a_missing_answer_is_requested_again(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        first = client.call("codex", ASK, **FORMS)
        second = again(client, first, None)["result"]
        assert second["resultType"] == "input_required"
        assert second["inputRequests"] == first["inputRequests"]
        assert second["requestState"] != first["requestState"]
        done = again(client, second, dict.fromkeys(second["inputRequests"], APPROVED))["result"]
        assert done["structuredContent"]["content"] == "bye"


def test_two_concurrent_questions_have_two_keys(workspace: Workspace) -> None:
    both = [
        sse.function_call("shell", {"command": ["touch", "one"]}, "c1"),
        sse.function_call("shell", {"command": ["touch", "two"]}, "c2"),
        sse.completed(),
    ]
    replay(workspace, both, BYE)
    with raw_client(workspace) as client:
        result, rounds = client.call("codex", ASK, **FORMS), 0
        while result["resultType"] == "input_required":
            rounds += 1
            result = again(client, result, dict.fromkeys(result["inputRequests"], APPROVED))["result"]
        assert result["structuredContent"]["content"] == "bye"
        assert rounds <= 2  # one, if the calls run concurrently
    assert {path.name for path in workspace.directory.iterdir()} >= {"one", "two"}


def test_a_client_without_elicitation_gets_an_immediate_denial_with_the_reason(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        done = client.call("codex", ASK)
        assert done["structuredContent"]["content"] == "bye"
        assert "does not declare elicitation" in done["content"][1]["text"]
        assert not (workspace.directory / "made").exists()


def test_the_end_of_stdin_ends_a_turn_that_waits_for_an_answer(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        assert client.call("codex", ASK, **FORMS)["resultType"] == "input_required"


def test_a_new_prompt_replaces_a_waiting_turn(workspace: Workspace) -> None:
    replay(workspace, BYE, TOUCH, BYE)
    with raw_client(workspace) as client:
        session = client.call("codex", ASK, **FORMS)["structuredContent"]["threadId"]
        first = client.call("codex-reply", {"threadId": session, "prompt": "more"}, **FORMS)
        assert first["resultType"] == "input_required"
        done = client.call("codex-reply", {"threadId": session, "prompt": "instead"}, **FORMS)
        assert done["structuredContent"]["content"] == "bye"
        assert not (workspace.directory / "made").exists()
        reply = {"name": "codex-reply", "arguments": {"threadId": session, "prompt": "more"}}
        late = client.request("tools/call", reply | {"requestState": first["requestState"]}, **FORMS)
        assert late["error"]["message"] == "invalid or expired requestState"


def test_a_call_may_be_a_task(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        task = client.call("codex", ASK, **TASKS, **FORMS)
        assert (task["resultType"], task["status"]) == ("task", "working")
        state = poll(client, task["taskId"], "working")
        assert state["status"] == "input_required"
        assert state["resultType"] == "complete"
        answers = dict.fromkeys(state["inputRequests"], APPROVED)
        client.request("tasks/update", {"taskId": task["taskId"], "inputResponses": answers}, **TASKS)
        state = poll(client, task["taskId"], "working")
        assert state["status"] == "completed"
        assert state["result"]["structuredContent"]["content"] == "bye"
        assert (workspace.directory / "made").exists()


def test_a_task_can_be_cancelled_while_it_waits(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        task = client.call("codex", ASK, **TASKS, **FORMS)
        assert poll(client, task["taskId"], "working")["status"] == "input_required"
        client.request("tasks/cancel", {"taskId": task["taskId"]}, **TASKS)
        assert poll(client, task["taskId"], "input_required")["status"] == "cancelled"


def test_a_task_of_a_client_that_cannot_be_asked_continues(workspace: Workspace) -> None:
    replay(workspace, TOUCH, BYE)
    with raw_client(workspace) as client:
        task = client.call("codex", ASK, **TASKS)
        assert poll(client, task["taskId"], "working")["status"] == "completed"
        assert not (workspace.directory / "made").exists()


def poll(client: RawClient, task_id: str, while_status: str) -> dict[str, Any]:
    while True:
        state: dict[str, Any] = client.request("tasks/get", {"taskId": task_id}, **TASKS)["result"]
        if state["status"] != while_status:
            return state
