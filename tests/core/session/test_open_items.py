"""What a late reader must see, and which end events are missing."""

import time
from pathlib import Path
from typing import Any

import pytest

from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta, AgentMessageReset
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import (
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    PatchApplyBegin,
    PatchApplyEnd,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.mcp_events import (
    ElicitationRequest,
    ElicitationWithdrawn,
    McpInvocation,
    McpToolCallBegin,
    McpToolCallEnd,
)
from code_core.protocol.ops import UncommittedChanges
from code_core.protocol.question_events import RequestUserInput
from code_core.protocol.session_events import EnteredReviewMode, ExitedReviewMode
from code_core.session.events.open_items import OpenItems, item_of

INVOCATION = McpInvocation(server="s", tool="t")
BEGINS: tuple[EventMsg, ...] = (
    ExecCommandBegin(call_id="c", command=["x"], cwd=Path("/w")),
    PatchApplyBegin(call_id="c", auto_approved=True, changes={}),
    McpToolCallBegin(call_id="c", invocation=INVOCATION),
    WebSearchBegin(call_id="c"),
    EnteredReviewMode(target=UncommittedChanges(), description="changes"),
)
ENDS = ("task_complete", "turn_aborted", "error")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def observing(*msgs: EventMsg, submission: str = "1") -> OpenItems:
    items = OpenItems()
    for number, msg in enumerate(msgs):
        items.observe(Event(id=submission, event_seq=number, msg=msg))
    return items


def seen(items: OpenItems) -> list[str]:
    return [event.msg.type for event in items.events()]


@pytest.mark.parametrize("begin", BEGINS, ids=lambda begin: begin.type)
def test_open_items_of_a_task_need_end_events(begin: EventMsg, now: list[float]) -> None:
    items = observing(begin)
    assert seen(items) == [begin.type]
    now[0] += 1.5
    assert items.owed("2", "interrupted") == []
    (end,) = items.owed("1", "interrupted")
    items.observe(Event(id="1", event_seq=1, msg=end))
    assert seen(items) == []
    assert items.owed("1", "interrupted") == []


def test_generated_end_events_have_a_reason_and_a_duration(now: list[float]) -> None:
    items = observing(*BEGINS)
    now[0] += 1.5
    command, patch, tool, search, review = items.owed("1", "interrupted")
    assert isinstance(command, ExecCommandEnd)
    assert (command.call_id, command.exit_code, command.stderr) == ("c", 130, "interrupted")
    assert (command.duration.secs, command.duration.nanos) == (1, 500_000_000)
    assert command.stdout == ""
    assert patch == PatchApplyEnd(call_id="c", stdout="", stderr="interrupted", success=False)
    assert isinstance(tool, McpToolCallEnd)
    assert (tool.invocation, tool.result) == (INVOCATION, {"Err": "interrupted"})
    assert tool.duration == command.duration
    assert search == WebSearchComplete(call_id="c")
    assert review == ExitedReviewMode()


def test_items_of_different_kinds_may_have_the_same_id() -> None:
    items = observing(*BEGINS, PatchApplyEnd(call_id="c", stdout="", stderr="", success=True))
    assert "patch_apply_begin" not in seen(items)
    assert len(seen(items)) == len(BEGINS) - 1
    items.observe(Event(id="1", event_seq=9, msg=WebSearchComplete(call_id="other")))
    assert len(seen(items)) == len(BEGINS) - 1


def test_a_late_reader_gets_the_task_first_and_the_rest_in_its_order() -> None:
    question = ExecApprovalRequest(call_id="c", approval_id="a", command=["x"], cwd=Path("/w"))
    items = observing(AgentMessageDelta(delta="hel"), question, BEGINS[0], TaskStarted(turn_id="t"))
    items.grow("lo")
    events = items.events()
    assert seen(items) == [
        "task_started",
        "agent_message_delta",
        "exec_approval_request",
        "exec_command_begin",
    ]
    message: Any = events[1].msg
    assert message.delta == "hello"
    assert [event.event_seq for event in events] == [3, 0, 1, 2]


@pytest.mark.parametrize("end", [AgentMessage(message="hello"), AgentMessageReset()])
def test_a_finished_or_withdrawn_message_is_not_open(end: EventMsg) -> None:
    items = observing(AgentMessageDelta(delta="hel"), end)
    assert seen(items) == []
    items.observe(Event(id="1", event_seq=5, msg=AgentMessageDelta(delta="new")))
    (message,) = (event.msg for event in items.events())
    assert message == AgentMessageDelta(delta="new")


@pytest.mark.parametrize(
    "end", [TaskComplete(), TurnAborted(reason="interrupted"), ErrorEvent(message="no")], ids=ENDS
)
def test_the_end_of_a_task_closes_its_questions_and_its_message(end: EventMsg) -> None:
    question = ExecApprovalRequest(call_id="c", approval_id="a", command=["x"], cwd=Path("/w"))
    items = observing(TaskStarted(turn_id="t"), AgentMessageDelta(delta="hel"), question)
    items.observe(Event(id="2", event_seq=3, msg=end))  # such as a refused op while the task runs
    assert len(seen(items)) == 3
    items.observe(Event(id="1", event_seq=3, msg=end))
    assert seen(items) == []


def test_an_elicitation_is_open_until_its_server_withdraws_it() -> None:
    def asked(name: str) -> ElicitationRequest:
        return ElicitationRequest(id=name, server="s", message="?", requested_schema={})

    withdrawn = ElicitationWithdrawn(id="e", server="s")
    items = observing(asked("e"), asked("f"), withdrawn)
    assert [event.msg for event in items.events()] == [asked("f")]
    assert item_of(asked("e")) == item_of(withdrawn)
    assert item_of(asked("f")) != item_of(withdrawn)
    assert item_of(WebSearchBegin(call_id="e")) != item_of(withdrawn)


def test_questions_are_answered_by_their_own_ids() -> None:
    items = observing(
        ExecApprovalRequest(call_id="c", approval_id="a", command=["x"], cwd=Path("/w")),
        ApplyPatchApprovalRequest(call_id="c", approval_id="b", changes={}),
        ElicitationRequest(id="e", server="s", message="?", requested_schema={}),
        RequestUserInput(request_id="r", call_id="c", questions=[]),
    )
    for name, left in (("c", 4), ("a", 3), ("b", 2), ("e", 1), ("e", 1), ("r", 0)):
        items.answered(name)
        assert len(seen(items)) == left
