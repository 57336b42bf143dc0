"""The official MCP client drives `code mcp-server`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.shared.message import SessionMessage
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, JSONRPCNotification

from support import responses_events as sse
from support.command import CODE, Workspace
from support.scenario import write_scenario

FULL = ("-s", "danger-full-access")
PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** Add File: b.txt\n+new\n*** End Patch"
SESSIONS = ("-c", "acp.enabled=true")


def replay(workspace: Workspace, *responses: list[dict[str, Any]]) -> None:
    workspace.environment["CODE_REPLAY"] = str(write_scenario(workspace.home, responses))


def a_turn(command: list[str]) -> list[list[dict[str, Any]]]:
    return [
        [
            sse.text_delta("Let me"),
            sse.message("Let me see."),
            sse.function_call("shell", {"command": command}, "c1"),
            sse.completed(),
        ],
        [sse.custom_tool_call("apply_patch", PATCH, "p1"), sse.completed()],
        [sse.message("All done."), sse.completed()],
    ]


class Client:
    """A session with the server, and everything that it received."""

    def __init__(self, session: ClientSession, seen: list[tuple[str, dict[str, Any]]], outgoing: Any) -> None:
        self.session = session
        self.seen = seen
        self._outgoing = outgoing

    async def write(self, message: JSONRPCNotification) -> None:
        """Send a request for which the session has no method."""
        await self._outgoing.send(SessionMessage(message))

    async def call(self, name: str, arguments: dict[str, Any]) -> CallToolResult:
        result = await self.session.call_tool(name, arguments)
        assert isinstance(result, CallToolResult)
        return result

    def updates(self) -> list[dict[str, Any]]:
        return [params["update"] for method, params in self.seen if method == "session/update"]

    def events(self) -> list[str]:
        return [params["msg"]["type"] for method, params in self.seen if method == "codex/event"]


@asynccontextmanager
async def connected(workspace: Workspace, *options: str, elicit: Any = None) -> AsyncIterator[Client]:
    seen: list[tuple[str, dict[str, Any]]] = []
    parameters = StdioServerParameters(
        command=CODE, args=["mcp-server", *options], env=workspace.environment, cwd=workspace.directory
    )

    with anyio.fail_after(60):
        async with (
            tapped(stdio_client(parameters), seen) as (incoming, outgoing),
            ClientSession(incoming, outgoing, elicitation_callback=elicit) as session,
        ):
            await session.initialize()
            yield Client(session, seen, outgoing)


@asynccontextmanager
async def tapped(transport: Any, seen: list[tuple[str, dict[str, Any]]]) -> AsyncIterator[Any]:
    """The transport, which records every notification, including those unknown to the client."""
    async with transport as (incoming, outgoing), anyio.create_task_group() as tasks:
        send, receive = anyio.create_memory_object_stream[Any](1000)

        async def relay() -> None:
            async with send:
                async for item in incoming:
                    message = getattr(item, "message", None)
                    if message is not None and hasattr(message, "method") and not hasattr(message, "id"):
                        seen.append((message.method, message.params or {}))
                    try:
                        await send.send(item)
                    except anyio.BrokenResourceError:
                        return  # the client has left

        tasks.start_soon(relay)
        yield receive, outgoing
        tasks.cancel_scope.cancel()
        receive.close()


def test_the_server_lists_its_tools(workspace: Workspace) -> None:
    async def names(*options: str) -> list[str]:
        async with connected(workspace, *options) as client:
            tools = (await client.session.list_tools()).tools
            assert all(
                tool.title and tool.description and tool.annotations and tool.output_schema for tool in tools
            )
            return [tool.name for tool in tools]

    assert anyio.run(names) == ["codex", "codex-reply"]
    assert anyio.run(names, *SESSIONS) == [
        "codex",
        "codex-reply",
        "session/new",
        "session/prompt",
        "session/cancel",
        "session/set_model",
    ]


def test_codex_runs_a_turn_and_codex_reply_continues(workspace: Workspace) -> None:
    replay(
        workspace,
        [sse.function_call("shell", {"command": ["echo", "hello"]}, "c1"), sse.completed()],
        [sse.message("First."), sse.completed()],
        [sse.message("Second."), sse.completed()],
    )

    async def main() -> None:
        async with connected(workspace, *FULL) as client:
            first = await client.call("codex", {"prompt": "hi"})
            assert not first.is_error
            assert first.structured_content is not None
            assert first.structured_content["content"] == "First."
            assert client.events()[0] == "task_started"
            assert {"exec_command_begin", "exec_command_end", "task_complete"} <= set(client.events())
            again = {"conversationId": first.structured_content["conversationId"], "prompt": "more"}
            second = await client.call("codex-reply", again)
            assert second.structured_content == {**first.structured_content, "content": "Second."}

    anyio.run(main)


def test_a_session_prompt_sends_updates_for_messages_commands_and_patches(workspace: Workspace) -> None:
    replay(workspace, *a_turn(["bash", "-lc", "echo hello"]))
    (workspace.directory / "a.txt").write_text("one\n")

    async def main() -> None:
        async with connected(workspace, *FULL, *SESSIONS) as client:
            new = await client.call("session/new", {"cwd": str(workspace.directory)})
            assert new.structured_content is not None
            session = new.structured_content["sessionId"]
            modes = new.structured_content["modes"]
            assert modes["currentModeId"] in {mode["id"] for mode in modes["availableModes"]}
            assert {"read-only", "auto", "full-access"} <= {mode["id"] for mode in modes["availableModes"]}
            options = {one["id"]: one["currentValue"] for one in new.structured_content["configOptions"]}
            assert options["mode"] == modes["currentModeId"]
            assert options["model"] == new.structured_content["models"]["currentModelId"]
            prompt = [{"type": "text", "text": "do it"}]
            done = await client.call("session/prompt", {"sessionId": session, "prompt": prompt})
            assert done.structured_content == {"stopReason": "end_turn"}
            updates = client.updates()
            texts = [u["content"]["text"] for u in updates if u["sessionUpdate"] == "agent_message_chunk"]
            assert texts == ["Let me", "All done."]
            command, patch = [u for u in updates if u["sessionUpdate"] == "tool_call"]
            assert (command["kind"], command["title"]) == ("execute", "`echo hello`")
            assert (patch["kind"], patch["title"]) == ("edit", "Edit `a.txt`, `b.txt`")
            a, b = str(workspace.directory / "a.txt"), str(workspace.directory / "b.txt")
            assert patch["content"] == [
                {"type": "diff", "path": a, "oldText": "one\n", "newText": "two\n"},
                {"type": "diff", "path": b, "oldText": None, "newText": "new\n"},
            ]
            assert patch["locations"] == [{"path": a}, {"path": b}]
            ends = [
                (u["toolCallId"], u["status"]) for u in updates if u.get("status") in {"completed", "failed"}
            ]
            assert ends == [("c1", "completed"), ("p1", "completed")]

    anyio.run(main)
    assert (workspace.directory / "a.txt").read_text() == "two\n"


def test_calling_a_hidden_tool_explains_how_to_enable_it(workspace: Workspace) -> None:
    async def main() -> None:
        async with connected(workspace) as client:
            result = await client.call("session/new", {"cwd": "/"})
            assert result.is_error
            assert "acp.enabled=true" in str(result.content)

    anyio.run(main)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("codex", {}, "prompt: Field required"),
        ("codex", {"prompt": "hi", "cwd": "/does/not/exist"}, "is not a directory"),
        ("codex", {"prompt": "hi", "config": {"model_provider": "absent"}}, "is not known"),
        ("codex-reply", {"conversationId": "nope", "prompt": "hi"}, "no session has the id 'nope'"),
        ("session/prompt", {"sessionId": "x", "prompt": [{"type": "audio"}]}, "invalid arguments"),
        ("nonsense", {}, "unknown tool: nonsense"),
    ],
)
def test_invalid_calls_are_answered_in_one_line(
    workspace: Workspace, name: str, arguments: dict[str, Any], expected: str
) -> None:
    async def main() -> None:
        async with connected(workspace, *SESSIONS) as client:
            result = await client.call(name, arguments)
            assert result.is_error
            assert expected in str(result.content)

    anyio.run(main)


def test_a_client_that_cannot_be_asked_is_not_awaited(workspace: Workspace) -> None:
    replay(workspace, *a_turn(["touch", "x"]))
    (workspace.directory / "a.txt").write_text("one\n")

    async def main() -> None:
        async with connected(workspace) as client:
            result = await client.call("codex", {"prompt": "hi"})
            assert result.structured_content is not None
            assert result.structured_content["content"] == "All done."

    anyio.run(main)
    assert not (workspace.directory / "x").exists()
    assert (workspace.directory / "a.txt").read_text() == "one\n"


@pytest.mark.parametrize(
    ("answer", "ran"),
    [
        (ElicitResult(action="accept", content={"decision": "approved"}), True),
        (ElicitResult(action="accept", content={}), False),
        (ElicitResult(action="accept", content={"decision": "denied"}), False),
        (ElicitResult(action="decline"), False),
    ],
)
def test_approvals_are_elicited(workspace: Workspace, answer: ElicitResult, ran: bool) -> None:
    replay(workspace, *a_turn(["touch", "x"]))
    (workspace.directory / "a.txt").write_text("one\n")
    asked: list[dict[str, Any]] = []

    async def elicit(_: Any, params: ElicitRequestParams) -> ElicitResult:
        asked.append(params.model_dump())
        return answer

    async def main() -> None:
        async with connected(workspace, elicit=elicit) as client:
            await client.call("codex", {"prompt": "hi"})

    anyio.run(main)
    assert asked[0]["message"].startswith("Run this command outside the sandbox?\n\n      $ touch x\n    in ")
    assert "-one\n        +two\n" in asked[1]["message"]
    assert (workspace.directory / "x").exists() == ran
    assert ((workspace.directory / "a.txt").read_text() == "two\n") == ran


def test_a_cancelled_elicitation_ends_the_turn(workspace: Workspace) -> None:
    replay(workspace, *a_turn(["touch", "x"]))

    async def elicit(_: Any, __: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="cancel")

    async def main() -> None:
        async with connected(workspace, elicit=elicit) as client:
            result = await client.call("codex", {"prompt": "hi"})
            assert result.is_error
            assert "the turn was interrupted" in str(result.content)

    anyio.run(main)


def test_a_session_shows_the_output_of_a_waiting_command(workspace: Workspace) -> None:
    # The title shows the script, so the word is printed in pieces, the second no longer than the first.
    script = "printf beg; sleep 0.5; echo un; until [ -e go ]; do sleep 0.05; done"
    replay(workspace, [sse.function_call("shell", {"command": ["bash", "-c", script]}, "c"), sse.completed()])

    async def main() -> None:
        async with connected(workspace, *FULL, *SESSIONS) as client:
            new = await client.call("session/new", {"cwd": str(workspace.directory)})
            assert new.structured_content is not None
            prompt = [{"type": "text", "text": "go"}]
            async with anyio.create_task_group() as tasks:
                session = {"sessionId": new.structured_content["sessionId"]}
                tasks.start_soon(client.call, "session/prompt", session | {"prompt": prompt})
                while not any("begun" in str(update) for update in client.updates()):  # noqa: ASYNC110
                    await anyio.sleep(0.05)
                (workspace.directory / "go").touch()

    anyio.run(main)


def test_a_prompt_can_be_cancelled_while_the_user_is_asked(workspace: Workspace) -> None:
    replay(workspace, *a_turn(["touch", "x"]))

    async def main() -> None:
        asked, withdrawn = anyio.Event(), anyio.Event()

        async def elicit(_: Any, __: ElicitRequestParams) -> ElicitResult:
            asked.set()
            try:
                await anyio.sleep_forever()
            finally:
                withdrawn.set()
            raise AssertionError

        async with connected(workspace, *SESSIONS, elicit=elicit) as client:
            new = await client.call("session/new", {"cwd": str(workspace.directory)})
            assert new.structured_content is not None
            session = {"sessionId": new.structured_content["sessionId"]}
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cancel_when, asked, client, session)
                prompt = [{"type": "text", "text": "go"}]
                end = await client.call("session/prompt", session | {"prompt": prompt})
            assert end.structured_content == {"stopReason": "cancelled"}
            await withdrawn.wait()

    async def cancel_when(asked: anyio.Event, client: Client, session: dict[str, str]) -> None:
        await asked.wait()
        await client.call("session/cancel", session)

    anyio.run(main)
    assert not (workspace.directory / "x").exists()


def test_a_cancel_notification_for_an_unknown_session_is_ignored(workspace: Workspace) -> None:
    async def main() -> None:
        async with connected(workspace, *SESSIONS) as client:
            unknown = JSONRPCNotification(
                jsonrpc="2.0", method="session/cancel", params={"sessionId": "nobody"}
            )
            await client.write(unknown)
            assert (await client.session.list_tools()).tools

    anyio.run(main)


def test_a_cancelled_prompt_ends_and_the_session_continues(workspace: Workspace) -> None:
    replay(
        workspace,
        [
            sse.function_call("shell", {"command": ["bash", "-c", "echo $$ > pid; sleep 60"]}, "c1"),
            sse.completed(),
        ],
        [sse.message("Again."), sse.completed()],
    )

    async def main() -> None:
        async with connected(workspace, *FULL, *SESSIONS) as client:
            new = await client.call("session/new", {"cwd": str(workspace.directory)})
            assert new.structured_content is not None
            arguments = {
                "sessionId": new.structured_content["sessionId"],
                "prompt": [{"type": "text", "text": "go"}],
            }
            results: list[CallToolResult] = []

            async def prompt() -> None:
                results.append(await client.call("session/prompt", arguments))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(prompt)
                while "exec_command_begin" not in client.events():
                    await anyio.lowlevel.checkpoint()
                busy = await client.call("session/prompt", arguments)
                assert "still working" in str(busy.content)
                await client.call("session/cancel", {"sessionId": arguments["sessionId"]})
            assert results[0].structured_content == {"stopReason": "cancelled"}
            again = await client.call("session/prompt", arguments)
            assert again.structured_content == {"stopReason": "end_turn"}

    anyio.run(main)


def test_the_end_of_stdin_ends_the_server_and_its_commands(workspace: Workspace) -> None:
    marker = workspace.directory / "pid"
    replay(
        workspace,
        [
            sse.function_call("shell", {"command": ["bash", "-c", "echo $$ > pid; sleep 60"]}, "c1"),
            sse.completed(),
        ],
    )

    async def main() -> None:
        async with connected(workspace, *FULL) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call, "codex", {"prompt": "hi"})
            while not (marker.exists() and marker.read_text().strip()):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert not Path(f"/proc/{int(marker.read_text())}").exists()
