import textwrap
from pathlib import Path

from code_core.protocol.agent_events import AgentMessage, AgentReasoning
from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    BackgroundEvent,
    ErrorEvent,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    PlanStep,
    PlanUpdate,
    StreamError,
    TaskStarted,
    ToolCallFailed,
    TurnDiff,
    WarningEvent,
    WebSearchComplete,
)
from code_core.protocol.file_changes import AddBody, AddChange
from code_core.protocol.mcp_events import McpInvocation, McpToolCallBegin
from code_core.view.printer import HumanPrinter


def shown(*events: EventMsg, color: bool = False) -> str:
    out: list[str] = []
    printer = HumanPrinter(out.append, color=color)
    for event in events:
        printer.show(event)
    printer.show_diff()
    return "".join(out)


def test_a_command_is_printed_with_its_output() -> None:
    begin = ExecCommandBegin(call_id="c", command=["bash", "-lc", "ls"], cwd=Path("/w"))
    stdout = "".join(f"{number}\n" for number in range(25))
    end = ExecCommandEnd(call_id="c", stdout=stdout, stderr="", exit_code=2, duration=Duration.of(1.25))
    text = shown(begin, end)
    assert text.startswith("\n$ ls\n  0\n  1\n")
    assert text.endswith("  19\n  … 5 more lines\n  exit 2 after 1.2 s\n")


def test_a_question_shows_what_would_run_and_where() -> None:
    request = ExecApprovalRequest(
        call_id="c", approval_id="c", command=["rm", "-rf", "a b\x1b[8m"], cwd=Path("/w"), reason="why"
    )
    assert shown(request) == (
        "\n? Run this command outside the sandbox?\n"
        "?   $ rm -rf 'a b\\x1b[8m'\n"
        "? in /w, OUTSIDE the sandbox\n"
        "? reason: why\n"
    )


def test_only_questions_begin_like_questions() -> None:
    fake = "? Run this command?\n?   $ ls\n\x1b[0m? (y yes)\r? "
    text = shown(
        AgentMessage(message=fake),
        AgentReasoning(text=fake),
        WarningEvent(message=fake),
        ErrorEvent(message=fake),
        BackgroundEvent(message=fake),
        StreamError(message=fake, attempt=1, max=2, delay_ms=0),
        ToolCallFailed(call_id="c", tool=fake, call=fake, message=fake),
        PatchApplyEnd(call_id="c", stdout="", stderr=fake, success=False),
        ExecCommandBegin(call_id="c", command=[fake], cwd=Path("/w")),
        ExecCommandEnd(call_id="c", stdout=fake, stderr=fake, exit_code=0, duration=Duration.of(0)),
        PlanUpdate(plan=[PlanStep(step=fake, status="pending")]),
        McpToolCallBegin(
            call_id="c", invocation=McpInvocation(server=fake, tool=fake, arguments={fake: fake})
        ),
        WebSearchComplete(call_id="c", query=fake),
        PatchApplyBegin(
            call_id="c", auto_approved=True, changes={fake: AddChange(add=AddBody(content=fake))}
        ),
        TurnDiff(unified_diff=f"+{fake}".replace("\n", "\n+")),
    )
    assert "Run this command?" in text
    assert [line for line in text.split("\n") if line.startswith("?")] == []


def test_retries_are_printed_with_their_delay() -> None:
    assert shown(StreamError(message="broken", attempt=1, max=5, delay_ms=250)) == (
        "broken: retrying in 0.2 s (1 of 5)\n"
    )


def test_colours_are_optional() -> None:
    diff = TurnDiff(unified_diff="--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n")
    assert "\x1b" not in shown(diff, AgentMessage(message="hi"))
    assert "\x1b[32m+y\x1b[0m" in shown(diff, color=True)
    assert shown(TaskStarted()) == ""


def test_long_lines_of_a_failed_call_do_not_push_the_reason_off_the_screen() -> None:
    text = shown(ToolCallFailed(call_id="c", tool="shell", call="x" * 300_000, message="too long"))
    assert text.startswith("tool shell did nothing: too long\n  xxx")
    assert len(text) < 2_200


def test_only_rows_of_questions_begin_like_questions_on_narrow_screens() -> None:
    fake = "z" * 40 + "? Run this command?"
    out: list[str] = []
    printer = HumanPrinter(out.append, color=False, columns=lambda: 40)
    for event in (
        AgentMessage(message=fake),
        AgentMessage(message="\uff1f Run this?"),
        AgentReasoning(text=fake),
        BackgroundEvent(message=fake),
        WarningEvent(message=fake),
        ErrorEvent(message=fake),
        PlanUpdate(plan=[PlanStep(step=fake, status="pending")]),
        ExecCommandBegin(call_id="c", command=["echo", fake, "a" * 200 + "?"], cwd=Path("/w")),
        ExecCommandEnd(call_id="c", stdout=fake, stderr=fake, exit_code=0, duration=Duration.of(1)),
        ToolCallFailed(call_id="c", tool=fake, call=fake, message=fake),
        PatchApplyBegin(
            call_id="c", auto_approved=True, changes={f"/w/{fake}": AddChange(add=AddBody(content=fake))}
        ),
        WebSearchComplete(call_id="c", query=fake),
        McpToolCallBegin(
            call_id="c", invocation=McpInvocation(server="s", tool=fake, arguments={fake: fake})
        ),
        TurnDiff(unified_diff=f"+{fake}"),
    ):
        printer.show(event)
    printer.show_diff()
    for line in "".join(out).split("\n"):
        assert not any(row[:1] in {"?", "\uff1f"} for row in textwrap.wrap(line, 40) or [""]), line
        assert len(line) <= 40 or "?" not in line
