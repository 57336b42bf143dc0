"""Conversations by their ids: in results, in later calls, in later processes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcp_server.modern import raw_client
from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario

BYE = [sse.message("bye"), sse.completed()]
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}}


def replay(workspace: Workspace, *responses: list[dict[str, Any]]) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


@pytest.mark.parametrize("name", ["conversationId", "threadId", "sessionId"])
def test_a_later_process_continues_a_conversation(workspace: Workspace, name: str) -> None:
    replay(workspace, BYE)
    with raw_client(workspace) as client:
        first = client.call("codex", {"prompt": "remember the word plum"})["structuredContent"]
    assert first["threadId"] == first["conversationId"]
    expects = {"expect": [{"contains": "remember the word plum"}], "stream": BYE}
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, [expects]))
    with raw_client(workspace) as client:
        again = client.call("codex-reply", {name: first["threadId"], "prompt": "which word?"})
        assert again["structuredContent"] == first


def test_only_one_process_can_have_a_conversation_open(workspace: Workspace) -> None:
    replay(workspace, BYE, BYE)
    with raw_client(workspace) as one:
        thread = one.call("codex", {"prompt": "hi"})["structuredContent"]["threadId"]
        with raw_client(workspace) as other:
            refused = other.call("codex-reply", {"threadId": thread, "prompt": "hi"})
            assert refused["isError"]
            assert thread[:8] in refused["content"][0]["text"]
        assert not one.call("codex-reply", {"threadId": thread, "prompt": "hi"})["isError"]


def test_only_ids_are_accepted(workspace: Workspace) -> None:
    replay(workspace, BYE)
    with raw_client(workspace) as client:
        client.call("codex", {"prompt": "hi"})
    rollout = next(path for path in workspace.home.rglob("*.jsonl") if "rollout" in path.name)
    with raw_client(workspace) as client:
        for reference in (str(rollout), rollout.stem[:8], "", "0" * 8, "../x"):
            refused = client.call("codex-reply", {"threadId": reference, "prompt": "hi"})
            assert "no session has the id" in refused["content"][0]["text"]


def test_requests_before_the_end_of_stdin_are_answered(workspace: Workspace, tmp_path: Path) -> None:
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO},
        *({"jsonrpc": "2.0", "id": number, "method": "tools/list"} for number in range(2, 100)),
    ]
    (tmp_path / "input").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with (tmp_path / "input").open() as stdin:
        done = subprocess.run(
            [CODE, "mcp-server"],
            stdin=stdin,
            capture_output=True,
            env=workspace.environment,
            cwd=workspace.directory,
            timeout=30,
            check=True,
        )
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [*range(1, 100)]


def test_invalid_settings_are_reported_to_waiting_clients_and_on_stderr(workspace: Workspace) -> None:
    with workspace.start("mcp-server", "-c", "model_provider=absent", stdin=subprocess.PIPE) as process:
        out, err = process.communicate(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO})
            + '\n{"jsonrpc": "2.0", "id": 2, "method": "tools/list"}\n',
            timeout=30,
        )
        assert process.returncode == 2
    handshake, listing = map(json.loads, out.splitlines())
    assert handshake["result"]["serverInfo"]["name"] == "code"
    assert "absent" in listing["error"]["message"]
    assert "absent" in err
    assert len(err.splitlines()) == 1
