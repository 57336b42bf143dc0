"""The official TypeScript SDK as the client, which reports invalid frames on stderr."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.acp_schema import SDK
from support.command import CODE, Workspace
from support.npm import npm_programs

CLIENT = Path(__file__).with_name("sdk_client.mjs")
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-unsaved\n+patched\n*** End Patch"


@pytest.mark.slow
def test_streaming_permission_files_terminal_compaction_and_load(
    workspace: Workspace, replay: Replay
) -> None:
    sdk = npm_programs(SDK).parent / "@agentclientprotocol" / "sdk" / "dist" / "v1" / "stable" / "acp.js"
    plan = {"plan": [{"step": "look", "status": "in_progress"}]}
    replay(
        [
            sse.reasoning("Thinking.", "secret"),
            sse.text_delta("Hel"),
            sse.text_delta("lo"),
            sse.message("Hello"),
            sse.function_call("shell", {"command": ["bash", "-c", "touch made; echo shown"]}, "c1"),
            sse.completed(),
        ],
        [sse.custom_tool_call("apply_patch", PATCH, "p1"), sse.completed()],
        [sse.function_call("update_plan", plan, "u1"), sse.completed()],
        [sse.message("Done."), sse.completed()],
        [sse.message("A summary."), sse.completed()],
    )
    (workspace.directory / "a.txt").write_text("saved\n")
    done = subprocess.run(
        ["node", str(CLIENT), str(sdk), str(workspace.directory), CODE, "acp", "-a", "untrusted"],
        env=workspace.environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    seen: dict[str, Any] = json.loads(done.stdout)
    assert seen["results"]["prompt"] == seen["results"]["compact"] == {"stopReason": "end_turn"}
    assert seen["asked"] == ["c1", "p1"]
    assert seen["written"] == ["patched\n"]
    kinds = {update["sessionUpdate"] for update in seen["live"]}
    assert {"agent_message_chunk", "agent_thought_chunk", "tool_call", "tool_call_update", "plan"} <= kinds
    assert {"usage_update", "session_info_update", "available_commands_update", "compaction_update"} <= kinds
    replayed = seen["updates"][: seen["replayed"]]
    assert [u["content"]["text"] for u in replayed if u["sessionUpdate"] == "agent_message_chunk"] == [
        "Hello",
        "Done.",
    ]
    assert {"c1", "p1"} == {u["toolCallId"] for u in replayed if u["sessionUpdate"] == "tool_call"}
    (compacted,) = [u for u in replayed if u["sessionUpdate"] == "compaction_update"]
    assert compacted["status"] == "completed"
    (listed,) = seen["results"]["list"]["sessions"]
    assert listed["title"] == "go"
