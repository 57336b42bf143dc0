"""The official Python SDK as the client, which reads the protocol independently of us."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp_server.acp.conftest import Replay
from support import responses_events as sse
from support.command import CODE, Workspace

acp = pytest.importorskip("acp", reason="agent-client-protocol is not installed")

PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-unsaved\n+patched\n*** End Patch"


class Editor:
    """The callbacks of the SDK's client."""

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.updates: list[Any] = []
        self.asked: list[Any] = []
        self.written: list[tuple[str, str]] = []

    def on_connect(self, conn: Any) -> None:
        """Do nothing."""

    async def session_update(self, *, update: Any, **_: Any) -> None:
        self.updates.append(update)
        if update.session_update == "tool_call":
            self.called.set()

    async def request_permission(self, *, tool_call: Any, options: list[Any], **_: Any) -> Any:
        self.asked.append(tool_call)
        outcome = {"outcome": "selected", "optionId": options[0].option_id}
        return acp.RequestPermissionResponse.model_validate({"outcome": outcome})

    async def read_text_file(self, **_: Any) -> Any:
        return acp.ReadTextFileResponse(content="unsaved\n")

    async def write_text_file(self, *, path: str, content: str, **_: Any) -> Any:
        self.written.append((path, content))
        return acp.WriteTextFileResponse()

    def texts(self, kind: str) -> list[str]:
        return [update.content.text for update in self.updates if update.session_update == kind]


def started(workspace: Workspace, editor: Editor, *options: str) -> AbstractAsyncContextManager[Any]:
    spawned: AbstractAsyncContextManager[Any] = acp.spawn_agent_process(
        editor, CODE, "acp", *options, env=workspace.environment, cwd=workspace.directory
    )
    return spawned


def capabilities() -> Any:
    declared = {"fs": {"readTextFile": True, "writeTextFile": True}, "_meta": {"terminal_output": True}}
    return acp.schema.ClientCapabilities.model_validate(declared)


def test_streaming_permission_files_terminal_and_load(workspace: Workspace, replay: Replay) -> None:
    replay(
        [
            sse.text_delta("Hel"),
            sse.text_delta("lo"),
            sse.message("Hello"),
            sse.function_call("shell", {"command": ["bash", "-c", "touch made; echo shown"]}, "c1"),
            sse.completed(),
        ],
        [sse.custom_tool_call("apply_patch", PATCH, "p1"), sse.completed()],
        [sse.message("Done."), sse.completed()],
    )
    path = Path(workspace.directory) / "a.txt"
    path.write_text("saved\n")
    seen: list[Editor] = []

    async def main() -> None:
        live, again = Editor(), Editor()
        seen.extend((live, again))
        with anyio.fail_after(60):
            async with started(workspace, live, "-a", "untrusted", "-s", "danger-full-access") as (agent, _):
                await agent.initialize(1, capabilities())
                session = (await agent.new_session(str(workspace.directory), mcp_servers=[])).session_id
                done = await agent.prompt(session, [acp.text_block("go")])
                assert done.stop_reason == "end_turn"
            async with started(workspace, again) as (agent, _):
                await agent.initialize(1, capabilities())
                listed = await agent.list_sessions()
                assert [one.session_id for one in listed.sessions] == [session]
                state = await agent.load_session(str(workspace.directory), session, mcp_servers=[])
                assert state.modes.current_mode_id
                await agent.set_session_mode(session, "auto")
                await agent.close_session(session)

    anyio.run(main)
    live, again = seen
    assert "".join(live.texts("agent_message_chunk")) == "HelloDone."
    assert [call.tool_call_id for call in live.asked] == ["c1", "p1"]
    assert live.written == [(str(path), "patched\n")]
    kinds = {update.session_update for update in live.updates}
    assert {"tool_call", "tool_call_update", "usage_update", "session_info_update"} <= kinds
    assert again.texts("user_message_chunk") == ["go"]
    assert again.texts("agent_message_chunk") == ["Hello", "Done."]
    for editor in (live, again):
        shown = [update for update in editor.updates if getattr(update, "tool_call_id", "") == "c1"]
        assert any("shown" in str((update.field_meta or {}).get("terminal_output")) for update in shown)


def test_a_cancelled_prompt(workspace: Workspace, replay: Replay) -> None:
    replay([sse.function_call("shell", {"command": ["sleep", "300"]}, "c1"), sse.completed()])

    async def main() -> None:
        editor = Editor()
        with anyio.fail_after(60):
            async with started(workspace, editor, "-a", "never", "-s", "danger-full-access") as (agent, _):
                await agent.initialize(1)
                session = (await agent.new_session(str(workspace.directory), mcp_servers=[])).session_id

                async def cancel() -> None:
                    await editor.called.wait()
                    await agent.cancel(session)

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel)
                    done = await agent.prompt(session, [acp.text_block("go")])
                assert done.stop_reason == "cancelled"

    anyio.run(main)
