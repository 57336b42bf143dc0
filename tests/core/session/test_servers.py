"""Conversations with MCP servers: real processes with scripted servers, and a scripted model."""

import json
import math
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from code_core.config.schema.servers import McpServerTable
from code_core.protocol.mcp_events import McpInvocation, McpServerStatus, McpToolCallProgress
from code_core.protocol.ops import (
    ExecApproval,
    Interrupt,
    ListMcpTools,
    OverrideTurnContext,
    ResolveElicitation,
    Shutdown,
    TextInput,
    UserInput,
)
from code_core.protocol.policies import AskForApproval, ReadOnly, ReviewDecision
from code_core.session.servers.servers import ConversationServers
from code_core.tools.mcp import LONGEST_PROGRESS, PROGRESS_SECONDS
from core.session.conversing import BYE, Frontend, after
from support import responses_events as sse

TESTS = str(Path(__file__).parents[2])
GO = UserInput(items=[TextInput(text="go")])


Script = Callable[[Frontend], Awaitable[None]]
Converse = Callable[..., None]


def server(folder: Path, name: str = "one", **more: Any) -> dict[str, Any]:
    environment = {"PYTHONPATH": TESTS, "PYTHONDONTWRITEBYTECODE": "1", "NOTES": str(folder / "notes")}
    arguments = ["-S", "-m", "mcp_client.servers.listed", name]
    return {"command": sys.executable, "args": arguments, "env": environment, **more}


@pytest.fixture
def converse(converse: Converse, tmp_path: Path) -> Converse:
    """A conversation with servers, which must all end."""

    def run(script: Script, *responses: Any, servers: dict[str, Any] | None = None) -> None:
        tables = {"one": server(tmp_path)} if servers is None else servers
        before = psutil.Process().children()
        converse(script, *responses, settings=(("mcp_servers", tables),))
        now = psutil.Process().children()
        left = [child for child in now if child not in before and child.status() != "zombie"]
        assert [child for child in left if "guardian" not in str(child.cmdline())] == []

    return run


def called(tool: str, arguments: dict[str, Any] | None = None, call_id: str = "c1") -> list[dict[str, Any]]:
    return [sse.function_call(tool, arguments or {}, call_id), sse.completed()]


async def a_turn(frontend: Frontend) -> None:
    await frontend.send(GO)
    await frontend.until("task_complete")


def test_a_tool_is_called_and_its_text_goes_to_the_model(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        begin = await frontend.until("mcp_tool_call_begin")
        assert (begin.invocation.server, begin.invocation.tool) == ("one", "echo")
        end = await frontend.until("mcp_tool_call_end")
        assert (end.call_id, end.success, end.text) == ("c1", True, '["one", {"a": 1}]')
        await frontend.until("task_complete")

    converse(script, called("one__echo", {"a": 1}), after('["one", {"a": 1}]'))


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ("structured", '{"a":[1,"é"]}'),
        ("fail", "it went wrong"),
        ("crash", "err: MCP server"),
    ],
)
def test_structured_content_failures_and_crashes_are_reported(
    converse: Converse, tool: str, expected: str
) -> None:
    converse(a_turn, called(f"one__{tool}"), after(expected))


def test_an_image_is_an_output_part_instead_of_text(converse: Converse) -> None:
    expect = [{"contains": "input_image"}, {"contains": "data:image/png;base64,iVBOR"}]
    converse(a_turn, called("one__picture"), {"expect": expect, "stream": BYE})


def test_a_long_answer_is_cut_for_the_model_and_kept_in_a_file(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        end = await frontend.until("mcp_tool_call_end")
        assert len(end.text) < 50_000
        await frontend.until("task_complete")
        [kept] = (tmp_path / "outputs").rglob("c1.txt")
        assert kept.stat().st_size == 3_000_000 + 65

    converse(script, called("one__big", {"size": 3_000_000}), after("bytes cut of 3,000,065"))


@pytest.mark.parametrize("arguments", ["[1]", "{", '{"a": "\\ud800"}', '{"a": NaN}', '{"a": 1e999}'])
def test_invalid_arguments_are_an_answer_to_the_model(converse: Converse, arguments: str) -> None:
    wrong = [sse.function_call("one__echo", arguments, "c1"), sse.completed()]
    converse(a_turn, wrong, after("not a JSON object"))


def test_a_servers_question_goes_to_the_user_and_the_answer_back(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        question = await frontend.until("elicitation_request")
        assert (question.server, question.message) == ("one", "Who?")
        assert "name" in question.requested_schema["properties"]
        await frontend.send(ResolveElicitation(id=question.id, action="accept", content={"name": "me"}))
        await frontend.send(ResolveElicitation(id=question.id, action="decline"))
        assert "is open" in (await frontend.until("warning")).message
        await frontend.until("task_complete")

    converse(script, called("one__ask"), after('{"action": "accept", "content": {"name": "me"}}'))


def test_an_interrupt_cancels_the_call_at_the_server(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        await frontend.until("mcp_tool_call_begin")
        await frontend.send(Interrupt())
        end = await frontend.until("mcp_tool_call_end")
        assert (end.success, end.text) == (False, "interrupted")
        await frontend.until("turn_aborted")
        with anyio.fail_after(10):
            while not (tmp_path / "notes").exists():  # noqa: ASYNC110 - the server's own
                await anyio.sleep(0.01)
        await a_turn(frontend)

    converse(
        script,
        called("one__wait"),
        after("one", call_id="c2") | {"expect": [{"contains": "turn_interrupted"}]},
    )


def progress_of(frontend: Frontend) -> list[tuple[float, float | None, str | None]]:
    steps = [event.msg for event in frontend.seen if isinstance(event.msg, McpToolCallProgress)]
    assert {step.call_id for step in steps} <= {"c1"}
    return [(step.progress, step.total, step.message) for step in steps]


def test_the_progress_of_a_call_is_reported_between_its_begin_and_its_end(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await a_turn(frontend)
        assert progress_of(frontend) == [(1, 3, "copying"), (2.5, None, None)]
        kinds = [kind for kind in frontend.kinds if kind.startswith("mcp_tool_call")]
        assert kinds == [
            "mcp_tool_call_begin",
            "mcp_tool_call_progress",
            "mcp_tool_call_progress",
            "mcp_tool_call_end",
        ]

    steps = ['"progress":1,"total":3,"message":"copying"', '"progress":2.5']
    converse(
        script, called("one__progress", {"steps": steps, "pause": 2 * PROGRESS_SECONDS}), after("finished")
    )


def test_a_flood_of_progress_becomes_a_few_events_and_odd_values_are_ignored(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await a_turn(frontend)
        steps = progress_of(frontend)
        assert 1 <= len(steps) < 20
        assert all(math.isfinite(progress) for progress, _, _ in steps)
        assert all(len(message or "") <= LONGEST_PROGRESS for _, _, message in steps)
        for event in frontend.seen:
            json.loads(event.to_json(), parse_constant=pytest.fail)

    odd = [
        '"progress":1e999',
        '"progress":NaN',
        '"progress":"x"',
        '"progress":-1,"total":-1e999',
        '"nothing":1',
    ]
    converse(script, called("one__progress", {"steps": odd, "flood": 1_000}), after("finished"))


def status_of(frontend: Frontend, name: str) -> list[tuple[str, str | None]]:
    statuses = [event.msg for event in frontend.seen if isinstance(event.msg, McpServerStatus)]
    return [(one.status, one.error) for one in statuses if one.name == name]


def test_the_status_of_each_server_is_reported(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await a_turn(frontend)
        assert status_of(frontend, "one") == [("starting", None), ("ready", None)]
        starting, (failed, problem) = status_of(frontend, "absent")
        assert starting == ("starting", None)
        assert failed == "failed"
        assert "no-such-program" in str(problem)
        assert status_of(frontend, "off") == []

    servers = {
        "one": server(tmp_path),
        "absent": {"command": "no-such-program"},
        "off": server(tmp_path, enabled=False),
    }
    converse(script, BYE, servers=servers)


def test_a_server_that_is_starting_when_the_session_ends_is_cancelled(tmp_path: Path) -> None:
    deaf = server(tmp_path)
    deaf["args"] = ["-S", "-m", "mcp_client.servers.deaf_from_start"]
    seen: list[tuple[str, str]] = []

    async def elicit(_server: str, _params: object) -> Any:
        raise AssertionError

    async def nothing(_msg: object) -> None:
        raise AssertionError

    async def main() -> None:
        tables = {"deaf": McpServerTable.model_validate(deaf)}
        servers = ConversationServers(tables, tmp_path, tmp_path, ReadOnly(), elicit)
        with anyio.fail_after(20), anyio.CancelScope() as scope:

            def report(msg: Any) -> None:
                seen.append((msg.name, msg.status))
                if msg.status == "starting":
                    scope.cancel()

            await servers.connect(nothing, report)
        await servers.aclose()

    anyio.run(main)
    assert seen == [("deaf", "starting"), ("deaf", "cancelled")]


def test_an_open_question_ends_with_its_turn(converse: Converse) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        await frontend.until("elicitation_request")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await a_turn(frontend)

    converse(script, called("one__ask"), BYE)


@pytest.mark.parametrize(
    ("tool", "decision", "expected"),
    [
        ("structured", ReviewDecision.APPROVED, '{"a":[1,"é"]}'),
        ("structured", ReviewDecision.DENIED, "tool call rejected by user"),
        ("echo", None, '["one", {}]'),
    ],
)
def test_under_untrusted_tools_that_may_write_need_approval(
    converse: Converse, tool: str, decision: ReviewDecision | None, expected: str
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(OverrideTurnContext(approval_policy=AskForApproval.UNTRUSTED))
        await frontend.send(GO)
        if decision is not None:
            asked = await frontend.until("exec_approval_request")
            assert asked.command == ["MCP tool call", "one", tool, "{}"]
            assert asked.mcp == McpInvocation(server="one", tool=tool, arguments={})
            await frontend.send(ExecApproval(id=asked.approval_id, decision=decision))
        await frontend.until("task_complete")

    converse(script, called(f"one__{tool}"), after(expected))


def test_a_call_that_takes_too_long_is_reported(converse: Converse, tmp_path: Path) -> None:
    slow = {"one": server(tmp_path, tool_timeout_sec=0.2)}
    converse(a_turn, called("one__wait"), after("err: "), servers=slow)


def test_the_time_that_the_user_takes_to_answer_does_not_count(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        question = await frontend.until("elicitation_request")
        with anyio.move_on_after(0.6):
            await frontend.until("mcp_tool_call_end")
        await frontend.send(ResolveElicitation(id=question.id, action="decline"))
        await frontend.until("task_complete")

    hasty = {"one": server(tmp_path, tool_timeout_sec=0.4)}
    converse(script, called("one__ask"), after('{"action": "decline"}'), servers=hasty)


def test_servers_start_concurrently_and_one_that_fails_is_a_warning(
    converse: Converse, tmp_path: Path
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(ListMcpTools())
        message = (await frontend.until("warning")).message
        assert "'absent' is not available" in message
        assert "no-such-program" in message
        listed = (await frontend.until("mcp_list_tools_response")).tools
        assert [*listed] == sorted(listed)
        assert {tool.server for tool in listed.values()} == {"one", "two"}
        assert [tool.name for tool in listed.values() if tool.server == "two"] == ["echo", "picture"]
        assert "one__crash" not in listed
        await a_turn(frontend)

    servers = {
        "absent": {"command": "no-such-program"},
        "one": server(tmp_path, disabled_tools=["crash"]),
        "two": server(tmp_path, "two", enabled_tools=["picture", "echo"]),
        "off": server(tmp_path, "off", enabled=False),
    }
    expect = [{"contains": "go"}]
    converse(script, {"expect": expect, "stream": BYE}, servers=servers)


def test_without_a_required_server_a_turn_is_an_error(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        message = (await frontend.until("error")).message
        assert "required MCP server is not available: absent: " in message

    servers = {"absent": {"command": "no-such-program", "required": True}, "one": server(tmp_path)}
    converse(script, servers=servers)


def test_a_turn_says_which_servers_it_waits_for(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        waiting = await frontend.until("background_event")
        assert waiting.message == "waiting for the MCP servers to start: deaf"
        await frontend.until("task_complete")

    deaf = server(tmp_path, startup_timeout_sec=2)
    deaf["args"] = ["-S", "-m", "mcp_client.servers.deaf_from_start"]
    converse(script, BYE, servers={"deaf": deaf, "off": server(tmp_path, enabled=False)})


def test_a_server_that_does_not_start_in_time_is_not_awaited(converse: Converse, tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(GO)
        assert "was not ready within 0.3 s" in (await frontend.until("warning")).message
        await frontend.until("task_complete")
        await frontend.send(Shutdown())
        await frontend.until("shutdown_complete")

    deaf = server(tmp_path, startup_timeout_sec=0.3)
    deaf["args"] = ["-S", "-m", "mcp_client.servers.deaf_from_start"]
    converse(script, BYE, servers={"deaf": deaf})
