"""Whether a command may run, and where: the order of guards, rules, approvals and the user."""

from collections.abc import Iterable
from dataclasses import replace

import anyio
import pytest

from code_core.config.guards import NO_GUARDS, CommandGuards
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReviewDecision,
    SandboxPolicy,
)
from code_core.safety.confirm_guard import UserGuard
from code_core.safety.grants import CommandGrant
from code_core.safety.proposals import Proposal
from code_core.tools.approver import CommandQuestion
from code_core.tools.command_approval import changed_since, grant_of
from code_core.tools.command_permission import (
    CommandRequest,
    Permission,
    guarded,
    looked_up,
)
from core.tools.command_desk import NEVER, REQUEST, UNTRUSTED, WORKSPACE, Desk, text


def test_programs_are_looked_up_in_the_commands_directory(desk: Desk) -> None:
    (desk.cwd / "make").write_text("#!/bin/sh\n")
    (desk.cwd / "make").chmod(0o755)
    context = replace(desk.context, environment={"PATH": ".:/usr/bin:/bin"})
    plain = looked_up(CommandRequest("c1", ("bash", "-c", "ls x"), desk.cwd), context)
    assert plain.argv == ("bash", "-c", "ls x")
    assert plain.run is not None
    assert plain.run[0].startswith("/")
    planted = looked_up(CommandRequest("c1", ("make", "x"), desk.cwd), context)
    assert planted.argv == planted.run == (str(desk.cwd / "make"), "x")
    assert planted.parts == ((str(desk.cwd / "make"), "x"),)
    assert planted.program == str(desk.cwd / "make")
    elsewhere = looked_up(CommandRequest("c1", ("make", "x"), desk.cwd.parent), context)
    assert elsewhere.argv == ("make", "x")


def test_a_grant_outside_the_sandbox_covers_the_files_and_the_program(desk: Desk) -> None:
    (desk.cwd / "bin").mkdir()
    (desk.cwd / "bin/tool").write_text("x")
    (desk.cwd / "link").symlink_to(".")
    request = desk.request("sh", "tool.sh", cwd=desk.cwd / "link")
    assert grant_of(request, outside=False) == CommandGrant(("sh", "tool.sh"), desk.cwd)
    outside = grant_of(request, outside=True)
    assert (outside.argv, outside.cwd, outside.outside) == (("sh", "tool.sh"), desk.cwd, True)
    assert {file.path for file in outside.files} == {desk.cwd / "tool.sh", desk.cwd}
    started = grant_of(replace(request, run=(str(desk.cwd / "bin/tool"), "tool.sh")), outside=True)
    assert desk.cwd / "bin/tool" in {file.path for file in started.files}
    assert grant_of(replace(request, run=None), outside=True).files == outside.files


class Words:
    """A pattern of a user's guard: a word."""

    def __init__(self, word: str) -> None:
        self._word = word

    def matches(self, texts: Iterable[str]) -> bool:
        return any(self._word in one for one in texts)


def test_a_guarded_command_needs_to_be_confirmed(desk: Desk) -> None:
    destroying = desk.request("git", "reset", "--hard")
    output = guarded(destroying, NO_GUARDS)
    assert output is not None
    assert not output.success
    assert '["confirm:", "git", "reset", "--hard"]' in output.text
    assert guarded(replace(destroying, confirmed=True), NO_GUARDS) is None
    assert guarded(desk.request("git", "status"), NO_GUARDS) is None
    own = CommandGuards(guards=(UserGuard(Words("deploy"), "ask me first"),))
    output = guarded(desk.request("sh", "-c", "make deploy"), own)
    assert output is not None
    assert "command guarded: ask me first" in output.text
    hidden = guarded(desk.request("bash", "-c", "curl x | sh"), NO_GUARDS)
    assert hidden is not None
    assert "text that it does not show" in hidden.text


def test_a_command_that_is_too_complex_is_rejected(desk: Desk) -> None:
    script = "".join("$(" for _ in range(60)) + "ls" + ")" * 60
    output = guarded(CommandRequest("c1", ("bash", "-c", script), desk.cwd), NO_GUARDS)
    assert output is not None
    assert not output.success
    assert output.text.startswith("command rejected: ")
    assert output.text.endswith(": put it into a script file")


@pytest.mark.parametrize(
    ("policy", "sandbox", "confinable", "expected"),
    [
        (REQUEST, WORKSPACE, True, Permission(confined=True)),
        (REQUEST, DangerFullAccess(), True, Permission(confined=False)),
        (NEVER, WORKSPACE, True, Permission(confined=True)),
    ],
)
def test_a_command_that_the_policy_allows_runs_without_a_question(
    desk: Desk, policy: AskForApproval, sandbox: SandboxPolicy, confinable: bool, expected: Permission
) -> None:
    request = desk.request("./tool.sh")
    assert desk.decide(request, policy=policy, sandbox=sandbox, confinable=confinable) == expected
    assert desk.user.questions == []


def test_a_read_only_command_needs_no_approval(desk: Desk) -> None:
    assert desk.decide(desk.request("ls"), policy=UNTRUSTED) == Permission(confined=True)
    assert desk.decide(desk.request("git", "status"), policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
    desk.decide(desk.request("git", "status"), policy=UNTRUSTED, confinable=False)
    assert len(desk.user.questions) == 1


def test_a_question_shows_where_the_command_will_run_and_why(desk: Desk) -> None:
    request = desk.request("./tool.sh", justification="to test")
    assert desk.decide(request, policy=UNTRUSTED) == Permission(confined=True)
    (question,) = desk.user.questions
    assert question == CommandQuestion(
        call_id="c1",
        argv=("./tool.sh",),
        cwd=desk.cwd,
        reason="the approval policy is to ask for every command that does more than read",
        grant=CommandGrant(("./tool.sh",), desk.cwd),
        justification="to test",
        sandboxed=True,
        escalated=False,
        proposal=Proposal(("./tool.sh",), exact=True),
    )


@pytest.mark.parametrize(
    ("sandbox", "confinable"), [(WORKSPACE, False), (DangerFullAccess(), True), (DangerFullAccess(), False)]
)
def test_without_a_sandbox_the_question_says_so(desk: Desk, sandbox: SandboxPolicy, confinable: bool) -> None:
    request = desk.request("./tool.sh")
    answer = desk.decide(request, policy=UNTRUSTED, sandbox=sandbox, confinable=confinable)
    grant = grant_of(request, outside=True)
    assert answer == Permission(False, grant)
    (question,) = desk.user.questions
    assert (question.sandboxed, question.escalated, question.grant) == (False, False, grant)


def test_an_escalation_asks_about_running_outside(desk: Desk) -> None:
    request = desk.request("touch", "x", escalated=True)
    assert desk.decide(request) == Permission(False, grant_of(request, outside=True))
    (question,) = desk.user.questions
    assert question.reason == "it would run outside the sandbox"
    assert (question.sandboxed, question.escalated) == (False, True)
    # A rule for whatever follows is only offered for what stays confined.
    assert question.proposal == Proposal(("touch", "x"), exact=True)
    assert "never to ask" in text(desk.decide(request, policy=NEVER))


def test_the_question_about_a_retry_says_that_the_command_failed(desk: Desk) -> None:
    request = desk.request("touch", "x")
    assert desk.decide(request, retry=True) == Permission(False, grant_of(request, outside=True))
    (question,) = desk.user.questions
    assert question.reason == "it failed in the sandbox; run it again outside the sandbox"
    assert (question.sandboxed, question.escalated) == (False, True)


@pytest.mark.parametrize(
    ("decision", "answer"),
    [(ReviewDecision.APPROVED, None), (ReviewDecision.DENIED, "command rejected by user")],
)
def test_the_users_answer_decides(desk: Desk, decision: ReviewDecision, answer: str | None) -> None:
    desk.user.decision = decision
    allowed = desk.decide(desk.request("./tool.sh"), policy=UNTRUSTED)
    if answer is None:
        assert allowed == Permission(confined=True)
    else:
        assert text(allowed) == answer


def test_no_command_runs_if_its_directory_leads_elsewhere_after_the_question(desk: Desk) -> None:
    folder = desk.cwd / "folder"
    folder.mkdir()

    def swap() -> None:
        folder.rmdir()
        folder.symlink_to("/")

    desk.user.deed = swap
    request = desk.request("ls", cwd=folder)
    answer = text(desk.decide(replace(request, parts=None), policy=UNTRUSTED))
    assert answer == (f"command rejected: {folder} no longer leads to the directory that the user approved")


def test_a_denial_is_a_denial_even_if_the_directory_has_changed(desk: Desk) -> None:
    (desk.cwd / "link").symlink_to(".")
    request = replace(desk.request("./tool.sh"), cwd=desk.cwd / "link")
    desk.user.decision = ReviewDecision.DENIED
    assert text(desk.decide(request, policy=UNTRUSTED)) == "command rejected by user"


def test_a_change_after_the_answer_is_noticed(desk: Desk) -> None:
    request = desk.request("./tool.sh", escalated=True)
    grant = grant_of(request, outside=True)
    assert anyio.run(changed_since, request, grant) is None
    desk.change()
    output = anyio.run(changed_since, request, grant)
    assert text(output).startswith("command rejected: a file that it names, or its directory, changed")
