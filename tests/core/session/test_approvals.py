"""Which question an answer belongs to, and what it allows."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.ops import ExecApproval, RegisterApprovedCommand
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from code_core.safety.grants import CommandGrant, Grant, PathGrant, ToolGrant
from code_core.safety.rules import RegisteredCommand
from code_core.sandbox.detection import detect
from code_core.session.questions.approvals import Approvals
from code_core.session.questions.approver import TurnApprover
from code_core.tools.approver import CommandQuestion, PatchQuestion, Question, ToolQuestion
from core.session.conversing import Frontend, after, call, made, user

confined = pytest.mark.skipif(detect().sandbox is None, reason=f"no sandbox here: {detect()}")
UNTRUSTED = AskForApproval.UNTRUSTED
APPROVED, DENIED = ReviewDecision.APPROVED, ReviewDecision.DENIED
WORDS = ("touch", "{}")
HERE = Path("/w")

GRANTS: dict[type[Question], Grant] = {
    CommandQuestion: CommandGrant(WORDS, HERE),
    ToolQuestion: ToolGrant(*WORDS, "{}"),
    PatchQuestion: PathGrant(HERE),
}


def questions() -> dict[type[Question], Question]:
    invocation = McpInvocation(server=WORDS[0], tool=WORDS[1], arguments={})
    return {
        CommandQuestion: CommandQuestion("c", WORDS, HERE, "", CommandGrant(WORDS, HERE)),
        ToolQuestion: ToolQuestion("c", invocation, HERE, "", ToolGrant(*WORDS, "{}")),
        PatchQuestion: PatchQuestion("c", {}, "", frozenset({PathGrant(HERE)})),
    }


@pytest.mark.parametrize("kind", list(GRANTS))
def test_a_grant_for_the_session_does_not_cover_other_kinds_of_actions(kind: type[Question]) -> None:
    approvals = Approvals()

    async def emit(request: object) -> None:
        assert isinstance(request, ExecApprovalRequest) or kind is PatchQuestion
        answer = ExecApproval(id="c", decision=ReviewDecision.APPROVED_FOR_SESSION)
        assert approvals.answer(answer)

    anyio.run(TurnApprover(approvals, emit).ask, questions()[kind])
    assert [approvals.approved(grant) for grant in GRANTS.values()] == [one is kind for one in GRANTS]
    assert not approvals.approved(*GRANTS.values())
    assert not approvals.approved()


def test_a_grant_inside_the_sandbox_does_not_apply_outside() -> None:
    approvals = Approvals()
    approvals.grant(CommandGrant(WORDS, HERE))
    assert approvals.approved(CommandGrant(WORDS, HERE))
    assert not approvals.approved(CommandGrant(WORDS, HERE, outside=True))
    assert not approvals.approved(CommandGrant(WORDS, HERE / "below"))


@pytest.mark.parametrize(("prefix", "kept"), [(["git", "add"], ("git", "add")), (None, ())])
def test_a_frontend_registers_commands(prefix: list[str] | None, kept: tuple[str, ...]) -> None:
    approvals = Approvals()
    for kind in ("exact", "prefix"):
        op = RegisterApprovedCommand.model_validate(
            {"command": ["git", "add", "."], "match_kind": kind, "semantic_prefix": prefix}
        )
        approvals.register_command(op)
    assert approvals.registered_commands() == [
        RegisteredCommand(("git", "add", "."), kind, kept) for kind in ("exact", "prefix")
    ]


def test_only_the_first_question_about_a_call_uses_the_call_id() -> None:
    approvals = Approvals()
    ids = [approvals.new_id(call_id) for call_id in ("c1", "c1", "c2", "c1", "", "")]
    assert (ids[0], ids[2]) == ("c1", "c2")
    assert len(set(ids)) == len(ids)
    assert all(ids)
    # Nobody can have sent it before, and a call cannot be given the next question's id.
    assert Approvals().new_id("c1") == "c1"
    assert approvals.new_id(ids[1]) != ids[1]


@confined
def test_a_second_answer_to_the_first_question_does_not_allow_running_outside(
    converse: Callable[..., None],
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        first = await frontend.until("exec_approval_request")
        assert (first.approval_id, first.sandboxed, first.escalated) == ("c1", True, False)
        for _ in range(2):  # a double click, a retransmission
            await frontend.send(ExecApproval(id=first.approval_id, decision=APPROVED))
        second = await frontend.until("exec_approval_request")
        assert (second.call_id, second.sandboxed, second.escalated) == ("c1", False, True)
        await frontend.send(ExecApproval(id="c1", decision=APPROVED))
        await frontend.until("warning")
        with anyio.move_on_after(0.3):
            await frontend.until("exec_command_begin")
        assert not made(frontend)
        await frontend.send(ExecApproval(id=second.approval_id, decision=APPROVED))
        await frontend.until("task_complete")
        assert made(frontend)

    converse(script, call("touch", "made"), after('"exit_code": 0'), sandbox=SandboxMode.READ_ONLY,
             approval_policy=UNTRUSTED)  # fmt: skip


def test_a_late_answer_does_not_answer_a_later_call_with_the_same_id(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        first = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=first.approval_id, decision=DENIED))
        second = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=first.approval_id, decision=APPROVED))
        await frontend.send(ExecApproval(id=second.approval_id, decision=DENIED))
        await frontend.until("task_complete")
        assert not made(frontend)

    converse(script, call("touch", "a"), call("touch", "made"), after("rejected"), approval_policy=UNTRUSTED)


def test_the_model_gets_the_feedback_of_a_denial(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id=question.approval_id, decision=DENIED, feedback="use git mv"))
        await frontend.until("task_complete")

    shown = after("command rejected by user: use git mv")
    converse(script, call("touch", "made"), shown, approval_policy=UNTRUSTED)


@confined
@pytest.mark.parametrize("wide", [False, True])
def test_an_edited_rule_replaces_the_proposed_one_if_it_allows_less(
    converse: Callable[..., None], tmp_path: Path, wide: bool
) -> None:
    pattern = '["git"]' if wide else '["git", "add", "--all"]'
    edited = f'[[rule]]\npattern = {pattern}\ndecision = "allow"\ncwd = "{tmp_path}/work"\n'

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert 'pattern = ["git", "add"]' in question.proposed_rule
        always = ExecApproval(id=question.approval_id, decision=ReviewDecision.APPROVED_PREFIX, rule=edited)
        await frontend.send(always)
        if wide:
            assert "must begin with the proposed" in (await frontend.until("warning")).message
        await frontend.until("task_complete")
        assert not frontend.conversation.session.approvals.registered_commands() if wide else True

    converse(script, call("git", "add"), after("exit_code"), approval_policy=UNTRUSTED,
             sandbox=SandboxMode.WORKSPACE_WRITE)  # fmt: skip
    file = tmp_path / "rules/always-allowed.toml"
    assert (file.read_text() if file.exists() else "") == ("" if wide else edited)
