"""A turn's questions, and the effects of the answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import WarningEvent
from code_core.protocol.file_changes import AddBody, AddChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.ops import ExecApproval, PatchApproval
from code_core.protocol.policies import ReviewDecision
from code_core.safety.grants import CommandGrant, PathGrant, ToolGrant
from code_core.safety.proposals import Proposal
from code_core.safety.rules import RegisteredCommand
from code_core.session.questions.approvals import Answer, Approvals
from code_core.session.questions.approver import TurnApprover
from code_core.tools.approver import CommandQuestion, PatchQuestion, Question, Review, ToolQuestion

COMMAND = ("touch", "made")


def command(folder: Path, **more: Any) -> CommandQuestion:
    return CommandQuestion("c", COMMAND, folder, "not trusted", CommandGrant(COMMAND, folder), **more)


def tool(folder: Path) -> ToolQuestion:
    invocation = McpInvocation(server="files", tool="move", arguments={"to": "x"})
    return ToolQuestion("c", invocation, folder, "it writes", ToolGrant("files", "move", '{"to": "x"}'))


def patch(folder: Path) -> PatchQuestion:
    grants = frozenset({PathGrant(folder / "a"), PathGrant(folder / "b")})
    return PatchQuestion("c", {"a": AddChange(add=AddBody(content="x"))}, "outside", grants)


def asked(approvals: Approvals, question: Question, answer: Answer) -> tuple[Review, list[Any]]:
    """The result of the question, and its events."""
    seen: list[Any] = []

    async def emit(msg: object) -> None:
        seen.append(msg)
        if isinstance(msg, ExecApprovalRequest | ApplyPatchApprovalRequest):
            assert approvals.answer(answer)

    return anyio.run(TurnApprover(approvals, emit).ask, question), seen


def test_a_question_about_a_command_shows_everything_that_matters(tmp_path: Path) -> None:
    question = command(tmp_path, justification="to see", sandboxed=True, escalated=True)
    _, [request] = asked(Approvals(), question, ExecApproval(id="c", decision=ReviewDecision.DENIED))
    assert request == ExecApprovalRequest(
        call_id="c",
        approval_id="c",
        command=list(COMMAND),
        cwd=tmp_path,
        reason="not trusted",
        justification="to see",
        sandboxed=True,
        escalated=True,
    )


def test_a_question_about_a_tool_of_a_server_names_the_call(tmp_path: Path) -> None:
    question = tool(tmp_path)
    _, [request] = asked(Approvals(), question, ExecApproval(id="c", decision=ReviewDecision.DENIED))
    assert request == ExecApprovalRequest(
        call_id="c",
        approval_id="c",
        command=["MCP tool call", "files", "move", '{"to": "x"}'],
        cwd=tmp_path,
        reason="it writes",
        mcp=question.invocation,
    )


def test_a_question_about_a_patch_has_its_changes(tmp_path: Path) -> None:
    question = patch(tmp_path)
    _, [request] = asked(Approvals(), question, PatchApproval(id="c", decision=ReviewDecision.DENIED))
    assert request == ApplyPatchApprovalRequest(
        call_id="c", approval_id="c", changes=dict(question.changes), reason="outside"
    )


@pytest.mark.parametrize("decision", [*ReviewDecision])
@pytest.mark.parametrize("make", [command, tool, patch])
def test_the_decision_and_the_feedback_are_returned(
    make: Any, decision: ReviewDecision, tmp_path: Path
) -> None:
    kind = PatchApproval if make is patch else ExecApproval
    answer = kind(id="c", decision=decision, feedback="use git mv")
    review, _ = asked(Approvals(), make(tmp_path), answer)
    assert review == Review(decision, "use git mv")


def test_a_question_that_is_withdrawn_aborts(tmp_path: Path) -> None:
    class Undecided(Approvals):
        async def ask(self, *_: object) -> ReviewDecision:
            return ReviewDecision.ABORT

    async def emit(msg: object) -> None:
        raise AssertionError(msg)

    review = anyio.run(TurnApprover(Undecided(), emit).ask, command(tmp_path))
    assert review == Review(ReviewDecision.ABORT)


@pytest.mark.parametrize("decision", [*ReviewDecision])
@pytest.mark.parametrize("make", [command, tool, patch])
def test_only_an_answer_for_the_session_allows_more_than_once(
    make: Any, decision: ReviewDecision, tmp_path: Path
) -> None:
    approvals, question = Approvals(), make(tmp_path)
    asked(approvals, question, ExecApproval(id="c", decision=decision))
    grants = question.grants if make is patch else {question.grant}
    assert approvals.approved(*grants) is (decision is ReviewDecision.APPROVED_FOR_SESSION)
    assert not approvals.registered_commands()


def test_grants_of_the_conversation_apply_in_the_turn(tmp_path: Path) -> None:
    async def emit(msg: object) -> None:
        raise AssertionError(msg)

    approvals, grant = Approvals(), CommandGrant(COMMAND, tmp_path)
    approver = TurnApprover(approvals, emit)
    assert not approver.approved(grant)
    approvals.grant(grant)
    approvals.register(RegisteredCommand(("ls",), "exact"))
    assert approver.approved(grant)
    assert approver.registered_commands() == [RegisteredCommand(("ls",), "exact")]


def test_a_command_that_can_be_allowed_once_only_is_asked_about_again(tmp_path: Path) -> None:
    approvals = Approvals()
    question = CommandQuestion("c", COMMAND, tmp_path, "it changes", None)
    review, _ = asked(approvals, question, ExecApproval(id="c", decision=ReviewDecision.APPROVED_FOR_SESSION))
    assert review.decision is ReviewDecision.APPROVED_FOR_SESSION
    assert not approvals.approved(CommandGrant(COMMAND, tmp_path))


def with_rules(folder: Path) -> Approvals:
    return Approvals(rules_file=folder / "rules/always-allowed.toml")


def always(rule: str | None = None) -> ExecApproval:
    return ExecApproval(id="c", decision=ReviewDecision.APPROVED_PREFIX, rule=rule)


def proposed(folder: Path) -> CommandQuestion:
    return command(folder, proposal=Proposal(("touch",), exact=False))


def written(approvals: Approvals) -> str:
    file = approvals.rules_file
    return file.read_text() if file is not None and file.exists() else ""


def test_always_adds_the_rule_that_was_shown(tmp_path: Path) -> None:
    approvals = with_rules(tmp_path)
    review, [request] = asked(approvals, proposed(tmp_path), always())
    assert review == Review(ReviewDecision.APPROVED_PREFIX)
    assert request.proposed_rule == written(approvals)
    assert request.proposed_rule == f'[[rule]]\npattern = ["touch"]\ndecision = "allow"\ncwd = "{tmp_path}"\n'
    assert "`touch` with any arguments" in request.rule_allows
    assert approvals.registered_commands() == [RegisteredCommand(("touch",), "prefix", cwd=tmp_path)]


def test_always_adds_the_rule_as_edited_by_the_user(tmp_path: Path) -> None:
    approvals = with_rules(tmp_path)
    narrower = f'[[rule]]\npattern = ["touch", "made"]\ndecision = "allow"\ncwd = "{tmp_path}"\n'
    asked(approvals, proposed(tmp_path), always(narrower))
    assert written(approvals) == narrower
    assert approvals.registered_commands() == [RegisteredCommand(("touch", "made"), "prefix", cwd=tmp_path)]


def test_a_rule_that_allows_more_than_was_asked_is_not_added(tmp_path: Path) -> None:
    approvals = with_rules(tmp_path)
    wider = f'[[rule]]\npattern = ["rm"]\ndecision = "allow"\ncwd = "{tmp_path}"\n'
    _, seen = asked(approvals, proposed(tmp_path), always(wider))
    (warning,) = warnings(seen)
    assert warning.message.startswith("the command may run, but no rule was added: the pattern of the edited")
    assert written(approvals) == ""
    assert not approvals.registered_commands()


def test_a_rule_that_cannot_be_written_applies_to_the_session(tmp_path: Path) -> None:
    approvals = with_rules(tmp_path)
    (tmp_path / "rules").write_text("no folder")
    _, seen = asked(approvals, proposed(tmp_path), always())
    (warning,) = warnings(seen)
    assert warning.message.startswith(
        f"the rule holds for this session, but could not be added to {approvals.rules_file}: "
    )
    assert warning.message.endswith("File exists") or warning.message.endswith("Not a directory")
    assert len(approvals.registered_commands()) == 1


def test_a_damaged_rules_file_is_reported_with_its_fault(tmp_path: Path) -> None:
    approvals = with_rules(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/always-allowed.toml").write_text("[[rule")
    _, seen = asked(approvals, proposed(tmp_path), always())
    (warning,) = warnings(seen)
    assert "could not be added" in warning.message
    assert written(approvals) == "[[rule"
    assert not warning.message.endswith(("None", ": "))


@pytest.mark.parametrize("question", ["no grant", "no proposal", "no file"])
def test_no_rule_is_proposed_if_it_could_not_be_saved(question: str, tmp_path: Path) -> None:
    approvals = Approvals() if question == "no file" else with_rules(tmp_path)
    offered = {
        "no grant": CommandQuestion(
            "c", COMMAND, tmp_path, "", None, proposal=Proposal(("touch",), exact=False)
        ),
        "no proposal": command(tmp_path),
        "no file": proposed(tmp_path),
    }[question]
    _, [request] = asked(approvals, offered, always())
    assert (request.proposed_rule, request.rule_allows) == (None, None)
    assert not approvals.registered_commands()
    assert written(approvals) == ""


def warnings(seen: Sequence[Any]) -> list[WarningEvent]:
    return [one for one in seen if isinstance(one, WarningEvent)]
