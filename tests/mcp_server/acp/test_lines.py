"""Incoming and outgoing lines: lengths, endings, a client that reads slowly or not at all."""

import json
import os
import sys
from typing import Any, cast

import anyio
import psutil
import pytest

from code_core.acp.capabilities import ClientCapabilities
from code_core.protocol.approval_events import ApplyPatchApprovalRequest
from code_core.protocol.file_changes import AddBody, AddChange
from code_core.protocol.ops import PatchApproval
from code_core.protocol.policies import ReviewDecision
from code_core.session.conversation import Conversation
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.handshake import is_initialize
from code_mcp_server.acp.outgoing import LONGEST_LINE
from code_mcp_server.acp.peer import Peer
from code_mcp_server.acp.questions import Questioner
from code_mcp_server.acp.streams import MOST_WAITING, LineWriter
from mcp_server.acp.conftest import Replay
from mcp_server.acp.in_memory import MemoryWriter, ScriptedConversation
from support import responses_events as sse
from support.acp_client import AcpClient, RequestFailed, prompt_params
from support.command import Workspace
from support.running import naps


def test_a_prompt_of_many_megabytes_is_accepted(workspace: Workspace, replay: Replay) -> None:
    replay([sse.message("Done."), sse.completed()])
    with AcpClient(workspace, "-a", "never") as client:
        session = client.new_session()
        with pytest.raises(RequestFailed):  # text where a mode is expected
            client.call("session/set_mode", {"sessionId": session, "modeId": "m" * 64 * 2**20})
        assert client.call("session/prompt", prompt_params(session, "go " * 2**18)) == {
            "stopReason": "end_turn"
        }


@pytest.mark.parametrize(
    "update",
    [
        {"sessionUpdate": "tool_call", "toolCallId": "c", "title": "t", "rawOutput": "é" * 20 * 2**20},
        {
            "sessionUpdate": "tool_call",
            "toolCallId": "c",
            "title": "t",
            "content": [{"type": "diff", "path": "/a", "oldText": None, "newText": "x" * 2**20}] * 30,
        },
        {
            "sessionUpdate": "user_message_chunk",
            "content": {"type": "image", "mimeType": "image/png", "data": "A" * 12 * 2**20},
        },
    ],
)
def test_no_line_is_longer_than_clients_can_read(update: dict[str, Any]) -> None:
    writer = MemoryWriter()

    async def main() -> None:
        connection = Connection(cast("LineWriter", writer), Peer())
        await connection.notify("session/update", {"sessionId": "s", "update": update})

    anyio.run(main)
    (frame,) = writer.frames
    assert len(json.dumps(frame)) <= LONGEST_LINE
    assert "not shown" in str(frame) or "of base64" in str(frame)


def test_a_question_that_cannot_be_shown_completely_cannot_be_approved() -> None:
    writer = MemoryWriter()
    changes = {"/w/a": AddChange(add=AddBody(content="x" * 9 * 2**20))}
    request = ApplyPatchApprovalRequest(call_id="c", approval_id="a", changes=changes)

    async def main() -> None:
        connection = Connection(cast("LineWriter", writer), Peer())
        conversation = cast("Conversation", ScriptedConversation("s"))
        answer = await Questioner(conversation, connection, ClientCapabilities()).ask(request)
        assert isinstance(answer.op, PatchApproval)
        assert (answer.op.decision, answer.denied_call) == (ReviewDecision.DENIED, "c")
        assert "smaller steps" in (answer.op.feedback or "")

    anyio.run(main)
    assert writer.frames == []


def test_a_client_that_does_not_read_is_awaited_within_limits() -> None:
    reading, writing = os.pipe()

    async def main() -> None:
        writer = LineWriter(writing)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(writer.run)
            line = b"x" * 65_535 + b"\n"
            count = 0
            with anyio.move_on_after(0.3):
                while True:
                    writer.put(line)
                    count += 1
                    await writer.room()
            assert writer.waiting <= MOST_WAITING + 2 * len(line)
            os.set_blocking(reading, False)
            received = 0
            while received < count * len(line):
                await anyio.wait_readable(reading)
                received += len(os.read(reading, 2**20))
            assert received == count * len(line)
            tasks.cancel_scope.cancel()

    anyio.run(main)
    os.close(reading)
    os.close(writing)


def test_a_disconnected_client_costs_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    async def main() -> None:
        writer = LineWriter(writing)
        with anyio.fail_after(5):
            writer.put(b"x" * 2**20 + b"\n")
            await writer.run()
            for _ in range(100):
                writer.put(b"x" * 2**20 + b"\n")
                await writer.room()
        assert writer.waiting == 0

    anyio.run(main)
    os.close(writing)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_no_process_is_left_when_the_editor_closes(workspace: Workspace, replay: Replay) -> None:
    script = "sleep 300 & setsid sleep 300 & printf beg; echo un; wait"  # the title shows the script
    replay([sse.function_call("shell", {"command": ["bash", "-c", script]}, "c1"), sse.completed()])
    with AcpClient(workspace, "-s", "danger-full-access", "-a", "never") as client:
        session = client.new_session()
        client.send("session/prompt", prompt_params(session, "go"))
        client.until(lambda: any("begun" in str(update) for update in client.updates))
        assert naps(workspace.directory)
        assert client.process.stdin is not None
        client.process.stdin.close()
        client.process.wait(10)
        for _ in range(200):
            if not (left := naps(workspace.directory)):
                break
            psutil.wait_procs(left, 0.05)
        assert naps(workspace.directory) == []


@pytest.mark.parametrize(
    ("line", "is_acp"),
    [
        (b'{"id":0,"method":"initialize","params":{"protocolVersion":1}}', True),
        (b'{"id":0,"method":"initialize","params":{"protocolVersion":2,"clientCapabilities":{}}}', True),
        (b'{"id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}', False),
        (b'{"id":0,"method":"initialize","params":{"protocolVersion":true}}', False),
        (b'{"id":0,"method":"server/discover"}', False),
        (b"[]", False),
        (b"", False),
    ],
)
def test_an_acp_initialize_is_recognised(line: bytes, is_acp: bool) -> None:
    assert is_initialize(line) == is_acp
