"""`code mcp-server --http` in the newer era, message by message: tasks, and tampering with rounds."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from mcp_server.modern import modern
from mcp_server.test_http import ASK, BYE, TOKEN, TOUCH, server
from support.command import Workspace

FORMS: dict[str, Any] = {"elicitation": {"form": {}}}
TASKS: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
APPROVED = {"action": "accept", "content": {"decision": "approved"}}
Json = dict[str, Any]


class HttpClient:
    """One client with its own connections and ids."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.headers: dict[str, str] = {}
        self._ids = itertools.count(1)

    def request(self, method: str, params: Json, **capabilities: Any) -> Json:
        """The answer to a request: a result or an error."""
        headers = {
            "authorization": f"Bearer {TOKEN}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
        }
        if "name" in params or "taskId" in params:
            headers["mcp-name"] = params.get("name") or params["taskId"]
        headers |= self.headers
        body = {
            "jsonrpc": "2.0",
            "id": next(self._ids),
            "method": method,
            "params": modern(params, **capabilities),
        }
        headers["content-type"] = "application/json"
        response = httpx2.post(self._url, content=json.dumps(body), headers=headers, timeout=30)
        if response.headers["content-type"].startswith("text/event-stream"):
            lines = [line[5:] for line in response.text.splitlines() if line.startswith("data:")]
            [answer] = [one for one in map(json.loads, filter(str.strip, lines)) if "id" in one]
        else:
            answer = response.json()
        assert isinstance(answer, dict)
        return answer

    def codex(self, **more: Any) -> Json:
        """The answer to a call of `codex`, or to a later round of one."""
        return self.request("tools/call", {"name": "codex", "arguments": ASK, **more}, **FORMS)

    def poll(self, task_id: str, while_status: str) -> Json:
        while True:
            state: Json = self.request("tasks/get", {"taskId": task_id}, **TASKS)["result"]
            if state["status"] != while_status:
                return state


def asked(answer: Json) -> tuple[str, Json]:
    """The state of a round, and answers that approve everything."""
    result = answer["result"]
    assert result["resultType"] == "input_required"
    return result["requestState"], dict.fromkeys(result["inputRequests"], APPROVED)


def test_a_call_may_be_a_task(workspace: Workspace) -> None:
    with server(workspace, TOUCH, BYE) as url:
        client, other = HttpClient(url), HttpClient(url)
        discovered = client.request("server/discover", {})["result"]
        assert discovered["capabilities"]["extensions"] == {"io.modelcontextprotocol/tasks": {}}
        call = {"name": "codex", "arguments": ASK}
        task = client.request("tools/call", call, **TASKS, **FORMS)["result"]
        assert (task["resultType"], task["status"]) == ("task", "working")
        state = other.poll(task["taskId"], "working")
        assert (state["resultType"], state["status"]) == ("complete", "input_required")
        answers = dict.fromkeys(state["inputRequests"], APPROVED)
        update = {"taskId": task["taskId"], "inputResponses": answers}
        assert client.request("tasks/update", update, **TASKS)["result"]["resultType"] == "complete"
        state = client.poll(task["taskId"], "working")
        assert state["status"] == "completed"
        assert state["result"]["structuredContent"]["content"] == "bye"
        assert (workspace.directory / "made").exists()


def test_a_task_can_be_cancelled_and_an_unknown_or_misrouted_one_is_an_error(workspace: Workspace) -> None:
    with server(workspace, TOUCH, BYE) as url:
        client = HttpClient(url)
        task = client.request("tools/call", {"name": "codex", "arguments": ASK}, **TASKS, **FORMS)["result"]
        assert client.poll(task["taskId"], "working")["status"] == "input_required"
        client.request("tasks/cancel", {"taskId": task["taskId"]}, **TASKS)
        assert client.poll(task["taskId"], "input_required")["status"] == "cancelled"
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            params = {"taskId": "nothing", "inputResponses": {}}
            error = client.request(method, params, **TASKS)["error"]
            assert error == {"code": -32602, "message": "task not found: it may have expired"}
            assert client.request(method, params)["error"]["code"] == -32021
            client.headers = {"mcp-name": "another"}
            assert client.request(method, params, **TASKS)["error"]["code"] == -32020
            client.headers = {}


def test_a_client_of_the_handshake_era_has_no_tasks(workspace: Workspace) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "accept": "application/json, text/event-stream"}
    hello = {
        "protocolVersion": "2025-11-25",
        "capabilities": TASKS,
        "clientInfo": {"name": "t", "version": "1"},
    }
    with server(workspace, BYE) as url, httpx2.Client(headers=headers, timeout=30) as http:
        begun = http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
        http.headers["mcp-session-id"] = begun.headers["mcp-session-id"]
        http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        get = {"jsonrpc": "2.0", "id": 2, "method": "tasks/get", "params": {"taskId": "x"}}
        assert '"code":-32601' in http.post(url, json=get).text


def test_a_state_is_valid_for_one_round_from_any_client(workspace: Workspace) -> None:
    with server(workspace, TOUCH, BYE) as url:
        client, other = HttpClient(url), HttpClient(url)
        state, answers = asked(client.codex())
        done = other.codex(requestState=state, inputResponses=answers)["result"]
        assert done["structuredContent"]["content"] == "bye"
        for one in (client, other):
            replayed = one.codex(requestState=state, inputResponses=answers)
            assert replayed["error"]["message"] == "invalid or expired requestState"


def test_only_one_of_two_simultaneous_answers_continues_the_turn(workspace: Workspace) -> None:
    with server(workspace, TOUCH, BYE) as url:
        state, answers = asked(HttpClient(url).codex())
        barrier = threading.Barrier(8)

        def answer(client: HttpClient) -> Json:
            barrier.wait()
            return client.codex(requestState=state, inputResponses=answers)

        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(answer, [HttpClient(url) for _ in range(8)]))
    assert sum("result" in one for one in found) == 1
    assert {one["error"]["message"] for one in found if "error" in one} == {"invalid or expired requestState"}


def test_a_forged_state_reaches_no_turn(workspace: Workspace) -> None:
    forged: list[object] = ["", "x", "A" * 32, None, 7, [], {"state": "x"}, "\ud800", "x" * 100_000]
    with server(workspace, TOUCH, BYE) as url:
        client = HttpClient(url)
        state, answers = asked(client.codex())
        for one in forged:
            assert "error" in client.codex(requestState=one, inputResponses=answers)
        assert not (workspace.directory / "made").exists()
        assert "result" in client.codex(requestState=state, inputResponses=answers)
    assert (workspace.directory / "made").exists()


def test_a_state_belongs_to_its_call_and_answers_belong_to_their_round(workspace: Workspace) -> None:
    second = json.loads(json.dumps(TOUCH).replace("made", "other").replace('"c1"', '"c2"'))
    with server(workspace, TOUCH, second, BYE) as url:
        client = HttpClient(url)
        first_state, first_answers = asked(client.codex())
        other_call = {"name": "codex", "arguments": {**ASK, "prompt": "something else"}}
        wrong = client.request("tools/call", {**other_call, "requestState": first_state}, **FORMS)
        assert wrong["error"]["message"] == "invalid or expired requestState"
        second_state, second_answers = asked(
            client.codex(requestState=first_state, inputResponses=first_answers)
        )
        assert (workspace.directory / "made").exists()
        again_state, again_answers = asked(
            client.codex(requestState=second_state, inputResponses=first_answers)
        )
        assert again_answers == second_answers
        assert not (workspace.directory / "other").exists()
        expired = client.codex(requestState=second_state, inputResponses=second_answers)
        assert expired["error"]["message"] == "invalid or expired requestState"
        done = client.codex(requestState=again_state, inputResponses=again_answers)["result"]
        assert done["structuredContent"]["content"] == "bye"
    assert (workspace.directory / "other").exists()
