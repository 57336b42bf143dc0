"""What a question shows, what an answer does, and whom it goes to."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import EventMsg, WarningEvent
from code_core.protocol.file_changes import AddBody, AddChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.ops import ExecApproval, PatchApproval
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, PathGrant, ToolGrant
from code_core.safety.proposals import Proposal
from code_core.session.questions.approvals import Answer, Approvals
from code_core.session.questions.approver import TurnApprover
from code_core.session.questions.questions import Questions
from code_core.tools.approver import CommandQuestion, PatchQuestion, Question, Review, ToolQuestion

COMMAND = CommandQuestion(
    "c", ("npm", "test"), Path("/w"), "why", CommandGrant(("npm", "test"), Path("/w")), "because", True, False,
    Proposal(("npm", "test"), exact=False),
)  # fmt: skip
INVOCATION = McpInvocation(server="s", tool="t", arguments={"a": 1})
TOOL = ToolQuestion("c", INVOCATION, Path("/w"), "why", ToolGrant("s", "t", '{"a": 1}'))
CHANGES = {"a.py": AddChange(add=AddBody(content="x"))}
PATCH = PatchQuestion(
    "c", CHANGES, "why", frozenset({PathGrant(Path("/w/a.py")), PathGrant(Path("/w/b.py"))})
)


def asked(
    question: Question, answer: Callable[[str], Answer], approvals: Approvals | None = None
) -> tuple[Review, list[Any]]:
    """The review, and all emitted events."""
    approvals = approvals or Approvals()
    emitted: list[Any] = []

    async def emit(msg: EventMsg) -> None:
        emitted.append(msg)
        if not isinstance(msg, WarningEvent):
            assert approvals.answer(answer(msg.approval_id))  # type: ignore[union-attr] # a request

    return anyio.run(TurnApprover(approvals, emit).ask, question), emitted


def always(rule: str | None = None) -> Callable[[str], Answer]:
    return lambda name: ExecApproval(id=name, decision=ReviewDecision.APPROVED_PREFIX, rule=rule)


def deny(name: str) -> Answer:
    return ExecApproval(id=name, decision=ReviewDecision.DENIED, feedback="use git mv")


def test_a_question_about_a_command_is_complete(tmp_path: Path) -> None:
    review, [request] = asked(COMMAND, deny, Approvals(rules_file=tmp_path / "rules.toml"))
    assert review == Review(ReviewDecision.DENIED, "use git mv")
    assert isinstance(request, ExecApprovalRequest)
    assert (request.call_id, request.approval_id, request.command) == ("c", "c", ["npm", "test"])
    assert (request.cwd, request.reason, request.justification) == (Path("/w"), "why", "because")
    assert (request.sandboxed, request.escalated) == (True, False)
    assert 'pattern = ["npm", "test"]' in (request.proposed_rule or "")
    assert "npm test" in (request.rule_allows or "")


@pytest.mark.parametrize(
    ("grant", "proposal", "file"), [(True, True, False), (True, False, True), (False, True, True)]
)
def test_a_rule_is_proposed_only_with_a_file_a_grant_and_a_pattern(
    tmp_path: Path, grant: bool, proposal: bool, file: bool
) -> None:
    question = replace(
        COMMAND, grant=COMMAND.grant if grant else None, proposal=COMMAND.proposal if proposal else None
    )
    approvals = Approvals(rules_file=tmp_path / "rules.toml" if file else None)
    review, [request] = asked(question, always(), approvals)
    assert (request.proposed_rule, request.rule_allows) == (None, None)
    assert review.decision is ReviewDecision.APPROVED_PREFIX
    assert approvals.registered_commands() == []
    assert not (tmp_path / "rules.toml").exists()


def test_a_question_about_a_server_tool_shows_the_call() -> None:
    review, [request] = asked(TOOL, deny)
    assert review == Review(ReviewDecision.DENIED, "use git mv")
    assert request == ExecApprovalRequest(
        call_id="c",
        approval_id="c",
        command=["MCP tool call", "s", "t", '{"a": 1}'],
        cwd=Path("/w"),
        reason="why",
        mcp=INVOCATION,
    )


def test_a_question_about_a_patch_shows_its_changes() -> None:
    answer = PatchApproval(id="c", decision=ReviewDecision.DENIED, feedback="not there")
    review, [request] = asked(PATCH, lambda _name: answer)
    assert review == Review(ReviewDecision.DENIED, "not there")
    assert request == ApplyPatchApprovalRequest(
        call_id="c", approval_id="c", changes=dict(CHANGES), reason="why"
    )


def test_a_patch_that_is_approved_for_the_session_allows_each_of_its_files() -> None:
    approvals = Approvals()
    answer = PatchApproval(id="c", decision=ReviewDecision.APPROVED_FOR_SESSION)
    asked(PATCH, lambda _name: answer, approvals)
    assert approvals.approved(*PATCH.grants)
    assert all(approvals.approved(one) for one in PATCH.grants)
    assert not approvals.approved(PathGrant(Path("/w/c.py")), *PATCH.grants)


def test_a_command_without_a_grant_is_allowed_once() -> None:
    approvals = Approvals()
    review, _ = asked(
        replace(COMMAND, grant=None),
        lambda name: ExecApproval(id=name, decision=ReviewDecision.APPROVED_FOR_SESSION),
        approvals,
    )
    assert review.decision is ReviewDecision.APPROVED_FOR_SESSION
    assert COMMAND.grant is not None
    assert not approvals.approved(COMMAND.grant)


def test_a_single_approval_allows_nothing_else(tmp_path: Path) -> None:
    approvals = Approvals(rules_file=tmp_path / "rules.toml")
    asked(COMMAND, lambda name: ExecApproval(id=name, decision=ReviewDecision.APPROVED), approvals)
    assert COMMAND.grant is not None
    assert not approvals.approved(COMMAND.grant)
    assert approvals.registered_commands() == []
    assert not (tmp_path / "rules.toml").exists()


@pytest.mark.parametrize("broken", ["folder", "file"])
def test_a_rule_that_cannot_be_saved_applies_to_the_session_with_a_warning(
    tmp_path: Path, broken: str
) -> None:
    file = tmp_path / "rules" / "rules.toml"
    if broken == "folder":
        file.parent.write_text("no folder")
    else:
        file.parent.mkdir()
        file.write_text("rule = 5")
    approvals = Approvals(rules_file=file)
    review, [_, warning] = asked(COMMAND, always(), approvals)
    assert review.decision is ReviewDecision.APPROVED_PREFIX
    assert [one.command for one in approvals.registered_commands()] == [("npm", "test")]
    assert warning.message.startswith(f"the rule holds for this session, but could not be added to {file}: ")
    assert not warning.message.endswith((": ", "None"))
    assert "Errno" not in warning.message


def test_an_edited_rule_that_allows_more_is_not_added(tmp_path: Path) -> None:
    approvals = Approvals(rules_file=tmp_path / "rules.toml")
    review, [_, warning] = asked(COMMAND, always('[[rule]]\npattern = ["npm"]\n'), approvals)
    assert review.decision is ReviewDecision.APPROVED_PREFIX
    assert warning.message.startswith("the command may run, but no rule was added: ")
    assert approvals.registered_commands() == []
    assert not (tmp_path / "rules.toml").exists()


class Tool:
    """Returns a given decision. See `PermissionTool`."""

    def __init__(self, decision: ReviewDecision | None) -> None:
        self.decision = decision

    async def ask(self, request: object) -> ReviewDecision | None:
        del request
        return self.decision


def test_the_frontend_is_not_asked_if_the_permission_tool_decides() -> None:
    tool: Any = Tool(ReviewDecision.APPROVED)
    review, emitted = asked(COMMAND, deny, Approvals(tool))
    assert (review, emitted) == (Review(ReviewDecision.APPROVED), [])
    tool.decision = None
    review, emitted = asked(COMMAND, deny, Approvals(tool))
    assert review.decision is ReviewDecision.DENIED
    assert len(emitted) == 1


def test_withdrawn_questions_end_without_an_answer_and_cannot_be_answered() -> None:
    async def main() -> None:
        questions: Questions[str] = Questions()
        answers: dict[str, str | None] = {}

        async def ask(name: str, emit: Callable[[EventMsg], Awaitable[None]]) -> None:
            answers[name] = await questions.ask(name, WarningEvent(message="?"), emit)

        async def emit(_msg: EventMsg) -> None:
            pass

        async with anyio.create_task_group() as tasks:
            for name in "ab":
                tasks.start_soon(ask, name, emit)
            await anyio.wait_all_tasks_blocked()
            assert questions.answer("a", "yes")
            assert not questions.answer("a", "no")
            questions.withdraw()
            assert not questions.answer("b", "yes")
        assert answers == {"a": "yes", "b": None}

    anyio.run(main)


def test_a_question_that_is_asked_again_under_its_id_stays_open_when_the_first_is_cancelled() -> None:
    async def main() -> None:
        questions: Questions[str] = Questions()
        answers: list[str | None] = []

        async def emit(_msg: EventMsg) -> None:
            pass

        async def ask(scope: anyio.CancelScope) -> None:
            with scope:
                answers.append(await questions.ask("a", WarningEvent(message="?"), emit))

        first, second = anyio.CancelScope(), anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, first)
            await anyio.wait_all_tasks_blocked()
            tasks.start_soon(ask, second)
            await anyio.wait_all_tasks_blocked()
            first.cancel()
            await anyio.wait_all_tasks_blocked()
            assert questions.answer("a", "yes")
        assert answers == ["yes"]

    anyio.run(main)


@pytest.mark.parametrize("withdrawn", [None, WarningEvent(message="never mind")])
def test_a_cancelled_question_is_reported_as_withdrawn_and_not_open(withdrawn: EventMsg | None) -> None:
    question = WarningEvent(message="?")
    emitted: list[EventMsg] = []

    async def emit(msg: EventMsg) -> None:
        emitted.append(msg)

    async def main() -> None:
        questions: Questions[str] = Questions()
        with anyio.move_on_after(0.01):
            await questions.ask("a", question, emit, withdrawn)
        assert not questions.answer("a", "yes")

    anyio.run(main)
    assert emitted == ([question] if withdrawn is None else [question, withdrawn])
