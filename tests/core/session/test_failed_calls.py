"""The user sees calls that fail before they start."""

from collections.abc import Callable
from typing import Any

import pytest

from code_core.protocol.events import ToolCallFailed
from code_core.protocol.ops import ExecApproval
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from core.session.conversing import BYE, Frontend, after, call, user
from support import responses_events as sse

NEVER, UNTRUSTED = AskForApproval.NEVER, AskForApproval.UNTRUSTED
PATCH = "*** Begin Patch\n*** Update File: absent\n@@\n-x\n+y\n*** End Patch"


def function(name: str, arguments: Any) -> list[dict[str, Any]]:
    return [sse.function_call(name, arguments, "c1"), sse.completed()]


def failures(frontend: Frontend) -> list[ToolCallFailed]:
    return [event.msg for event in frontend.seen if isinstance(event.msg, ToolCallFailed)]


async def a_turn(frontend: Frontend) -> None:
    await frontend.send(user("go"))
    await frontend.until("task_complete")


@pytest.mark.parametrize(
    ("response", "tool", "asked_for", "message"),
    [
        (call("rm", "-rf", "x"), "shell", '"rm"', "command guarded: rm -rf x"),
        (call("sh", "-c", "$(" * 60), "shell", "$($(", "nested too deeply"),
        (function("shell", {"command": []}), "shell", "[]", "failed to parse function arguments"),
        (function("shell", "not JSON"), "shell", "not JSON", "failed to parse function arguments"),
        (function("nonsense", {}), "nonsense", "{}", "unsupported call"),
        (function("update_plan", {"plan": 5}), "update_plan", "5", "failed to parse"),
        (
            [sse.custom_tool_call("apply_patch", PATCH, "c1"), sse.completed()],
            "apply_patch",
            "absent",
            "absent",
        ),
        (
            [sse.custom_tool_call("apply_patch", "no patch", "c1"), sse.completed()],
            "apply_patch",
            "no patch",
            "",
        ),
        (call("apply_patch", PATCH), "shell", "absent", "absent"),
    ],
)
def test_a_call_that_failed_before_it_began_is_an_event(
    converse: Callable[..., None], response: Any, tool: str, asked_for: str, message: str
) -> None:
    async def script(frontend: Frontend) -> None:
        await a_turn(frontend)
        (failed,) = failures(frontend)
        assert (failed.call_id, failed.tool) == ("c1", tool)
        assert asked_for in (failed.call or "")
        assert message in failed.message
        assert not any(kind.endswith(("_begin", "_end")) for kind in frontend.kinds)

    converse(script, response, BYE, approval_policy=NEVER)


@pytest.mark.usefixtures("no_sandbox")
def test_a_rejected_command_is_an_event(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await a_turn(frontend)
        assert "command rejected" in failures(frontend)[0].message

    converse(script, call("touch", "a"), BYE, approval_policy=NEVER, sandbox=SandboxMode.WORKSPACE_WRITE)


def test_a_command_that_ran_and_one_that_the_user_denied_are_not_reported_twice(
    converse: Callable[..., None],
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        for decision in (ReviewDecision.APPROVED, ReviewDecision.DENIED):
            question = await frontend.until("exec_approval_request")
            await frontend.send(ExecApproval(id=question.approval_id, decision=decision))
        await frontend.until("task_complete")
        assert failures(frontend) == []
        assert frontend.kinds.count("exec_command_begin") == frontend.kinds.count("exec_command_end") == 1

    fails = call("sh", "-c", "exit 3")
    again = after('"exit_code": 3', stream=call("touch", "a", call_id="c2"))
    converse(script, fails, again, after("rejected", call_id="c2"), approval_policy=UNTRUSTED)
