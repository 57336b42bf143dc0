"""In plan mode, tools refuse everything that changes something."""

from dataclasses import replace

import anyio
import pytest

from code_core.protocol.items import CustomToolCall, FunctionCall
from code_core.protocol.policies import AskForApproval, DangerFullAccess, ReadOnly
from code_core.safety.planning import NOTHING_CHANGES
from code_core.sandbox.detection import Detection, Finding
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.command_approval import grant_of
from code_core.tools.plan import REFUSED_WHILE_PLANNING, UpdatePlan
from code_core.tools.tool import ToolContext, ToolOutput
from core.tools.command_desk import Desk, text
from core.tools.conftest import Emitted
from core.tools.terminal_calls import Calls, run
from core.tools.test_mcp import Server, tool
from core.tools.test_shell_commands import DENIED, SOME, Runs, shell


@pytest.fixture(autouse=True)
def _a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Detection((Finding("bwrap", SOME, "here"),))
    monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: found)


@pytest.fixture
def planning(tool_context: ToolContext) -> ToolContext:
    return replace(tool_context, planning=True, sandbox_policy=ReadOnly())


def test_a_patch_is_rejected(planning: ToolContext, emitted: Emitted) -> None:
    patch = "*** Begin Patch\n*** Add File: new\n+x\n*** End Patch"
    call = CustomToolCall(name="apply_patch", input=patch, call_id="c1")
    output = anyio.run(ApplyPatch(None).call, call, planning)
    assert output == ToolOutput(f"patch rejected: {NOTHING_CHANGES}", success=False)
    assert not (planning.cwd / "new").exists()
    assert emitted.events == []


def test_update_plan_is_rejected(planning: ToolContext, emitted: Emitted) -> None:
    call = FunctionCall(name="update_plan", arguments='{"plan": []}', call_id="c1")
    assert anyio.run(UpdatePlan().call, call, planning) == ToolOutput(REFUSED_WHILE_PLANNING, success=False)
    assert emitted.events == []


@pytest.mark.parametrize(("read_only", "called"), [(True, 1), (False, 0)])
def test_only_read_only_server_tools_may_run(planning: ToolContext, read_only: bool, called: int) -> None:
    server = Server()
    one = tool(server, read_only=read_only)
    output = anyio.run(one.call, FunctionCall(name=one.name, arguments="{}", call_id="c1"), planning)
    assert output.success is read_only
    assert len(server.calls) == called
    if not read_only:
        assert output.text.startswith("tool call rejected: ")
        assert NOTHING_CHANGES in output.text


def in_a_plan(desk: Desk) -> Desk:
    return Desk(replace(desk.context, planning=True), desk.user)


def test_an_escalation_is_rejected(desk: Desk) -> None:
    plan = in_a_plan(desk)
    answer = text(plan.decide(plan.request("touch", "x", escalated=True), sandbox=ReadOnly()))
    assert NOTHING_CHANGES in answer
    assert desk.user.questions == []


def test_a_denied_command_is_not_run_again(desk: Desk) -> None:
    runs = Runs([DENIED])
    output = shell(in_a_plan(desk)).run(["touch", "/x"], runs, sandbox=ReadOnly())
    assert output == replace(DENIED.output, text=f"{DENIED.output.text}\n[{NOTHING_CHANGES}]")
    assert runs.sandboxes == [SOME]
    assert desk.user.questions == []


def test_a_command_that_ran_outside_before_is_confined_now(desk: Desk) -> None:
    session, runs = shell(desk), Runs([DENIED])
    session.run(["touch", "/x"], runs)
    desk.user.grants.add(grant_of(desk.request("touch", "/x"), outside=True))
    session.desk = in_a_plan(desk)
    session.run(["touch", "/x"], runs, sandbox=ReadOnly())
    assert runs.sandboxes == [SOME, None, SOME]


def test_typing_into_a_program_that_may_write_is_rejected(desk: Desk) -> None:
    async def body(calls: Calls) -> None:
        await calls.start("stty -echo; echo ready; cat", tty=True)
        calls.context = replace(calls.context, planning=True, sandbox_policy=ReadOnly())
        output = await calls.write(1, "x\n")
        assert output == ToolOutput(
            "input rejected: it would be typed into session 1, which runs outside the sandbox, "
            f"and {NOTHING_CHANGES}",
            success=False,
        )
        assert calls.user.questions == []
        session = calls.terminals.find(1)
        assert session is not None
        session.command = replace(session.command, policy=ReadOnly())
        assert "x" in (await calls.write(1, "x\n")).text

    run(desk, body, approval_policy=AskForApproval.ON_REQUEST, sandbox_policy=DangerFullAccess())
