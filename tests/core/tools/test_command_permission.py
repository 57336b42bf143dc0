"""Whether a command may run, and where: the order of guards, rules, approvals and the user."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.config.guards import NO_GUARDS, CommandGuards
from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReviewDecision,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.safety.confirm_guard import UserGuard
from code_core.safety.grants import CommandGrant, Grant
from code_core.safety.proposals import Proposal
from code_core.safety.rules import PrefixRule, RegisteredCommand, RuleDecision
from code_core.tools import command_files
from code_core.tools.approver import CommandQuestion, Question, Review
from code_core.tools.command_permission import (
    CommandRequest,
    Permission,
    changed_since,
    grant_of,
    guarded,
    looked_up,
    permission,
    permission_to_retry,
)
from code_core.tools.tool import ToolContext, ToolOutput

UNTRUSTED, FAILURE, REQUEST, NEVER = AskForApproval
WORKSPACE = WorkspaceWrite()


@dataclass
class User:
    """Answers every question with `decision`, after doing something."""

    decision: ReviewDecision = ReviewDecision.APPROVED
    deed: Callable[[], object] = lambda: None
    grants: set[Grant] = field(default_factory=set)
    registered: list[RegisteredCommand] = field(default_factory=list)
    questions: list[CommandQuestion] = field(default_factory=list)

    async def ask(self, question: Question) -> Review:
        assert isinstance(question, CommandQuestion)
        self.questions.append(question)
        self.deed()
        return Review(self.decision)

    def approved(self, *grants: Grant) -> bool:
        return bool(grants) and self.grants.issuperset(grants)

    def registered_commands(self) -> Sequence[RegisteredCommand]:
        return self.registered


@dataclass
class Desk:
    """A workspace with a script, and a user."""

    context: ToolContext
    user: User

    @property
    def cwd(self) -> Path:
        return self.context.cwd

    def request(self, *argv: str, cwd: Path | None = None, **more: Any) -> CommandRequest:
        return looked_up(CommandRequest("c1", argv, cwd or self.cwd, **more), self.context)

    def decide(
        self,
        request: CommandRequest,
        guards: CommandGuards = NO_GUARDS,
        *,
        policy: AskForApproval = REQUEST,
        sandbox: SandboxPolicy = WORKSPACE,
        confinable: bool = True,
        retry: bool = False,
    ) -> Permission | ToolOutput:
        context = replace(self.context, approval_policy=policy, sandbox_policy=sandbox, approver=self.user)

        async def main() -> Permission | ToolOutput:
            if retry:
                return await permission_to_retry(request, guards, context)
            return await permission(request, guards, context, confinable=confinable)

        return anyio.run(main)

    def change(self) -> None:
        (self.cwd / "tool.sh").write_text("#!/bin/sh\necho other\n")


@pytest.fixture
def desk(tool_context: ToolContext) -> Desk:
    cwd = tool_context.cwd / "work"
    cwd.mkdir()
    (cwd / "tool.sh").write_text("#!/bin/sh\n")
    (cwd / "tool.sh").chmod(0o755)
    return Desk(replace(tool_context, cwd=cwd, environment={"PATH": "/usr/bin:/bin"}), User())


def text(answer: Permission | ToolOutput | None) -> str:
    assert isinstance(answer, ToolOutput)
    assert not answer.success
    return answer.text


def rule(decision: RuleDecision, *words: str, outside: bool = False) -> CommandGuards:
    pattern = tuple(frozenset({word}) for word in words)
    return CommandGuards(rules=(PrefixRule(pattern, decision, "so there", outside=outside),))


def test_programs_are_looked_up_where_the_command_runs(desk: Desk) -> None:
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
    elsewhere = looked_up(CommandRequest("c1", ("make", "x"), desk.cwd.parent), context)
    assert elsewhere.argv == ("make", "x")


def test_a_grant_for_outside_holds_for_the_files_and_the_program(desk: Desk) -> None:
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


def test_what_cannot_be_understood_is_rejected(desk: Desk) -> None:
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
def test_what_the_policy_allows_runs_without_a_question(
    desk: Desk, policy: AskForApproval, sandbox: SandboxPolicy, confinable: bool, expected: Permission
) -> None:
    request = desk.request("./tool.sh")
    assert desk.decide(request, policy=policy, sandbox=sandbox, confinable=confinable) == expected
    assert desk.user.questions == []


def test_a_command_that_only_reads_is_not_asked_about(desk: Desk) -> None:
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
def test_where_nothing_is_confined_the_question_says_so(
    desk: Desk, sandbox: SandboxPolicy, confinable: bool
) -> None:
    request = desk.request("./tool.sh")
    answer = desk.decide(request, policy=UNTRUSTED, sandbox=sandbox, confinable=confinable)
    grant = grant_of(request, outside=True)
    assert answer == Permission(False, grant)
    (question,) = desk.user.questions
    assert (question.sandboxed, question.escalated, question.grant) == (False, False, grant)


def test_an_escalation_is_a_question_about_running_outside(desk: Desk) -> None:
    request = desk.request("touch", "x", escalated=True)
    assert desk.decide(request) == Permission(False, grant_of(request, outside=True))
    (question,) = desk.user.questions
    assert question.reason == "it is to run outside of the sandbox"
    assert (question.sandboxed, question.escalated) == (False, True)
    # A rule for whatever follows is only offered for what stays confined.
    assert question.proposal == Proposal(("touch", "x"), exact=True)
    assert "never to ask" in text(desk.decide(request, policy=NEVER))


def test_a_retry_says_that_the_command_failed(desk: Desk) -> None:
    request = desk.request("touch", "x")
    assert desk.decide(request, retry=True) == Permission(False, grant_of(request, outside=True))
    (question,) = desk.user.questions
    assert question.reason == "it failed in the sandbox; run it again outside the sandbox"
    assert (question.sandboxed, question.escalated) == (False, True)


@pytest.mark.parametrize(
    ("decision", "answer"),
    [(ReviewDecision.APPROVED, None), (ReviewDecision.DENIED, "command rejected by user")],
)
def test_the_answer_of_the_user_counts(desk: Desk, decision: ReviewDecision, answer: str | None) -> None:
    desk.user.decision = decision
    allowed = desk.decide(desk.request("./tool.sh"), policy=UNTRUSTED)
    if answer is None:
        assert allowed == Permission(confined=True)
    else:
        assert text(allowed) == answer


def test_a_directory_that_leads_elsewhere_after_the_question_runs_nothing(desk: Desk) -> None:
    folder = desk.cwd / "folder"
    folder.mkdir()

    def swap() -> None:
        folder.rmdir()
        folder.symlink_to("/")

    desk.user.deed = swap
    request = desk.request("ls", cwd=folder)
    answer = text(desk.decide(replace(request, parts=None), policy=UNTRUSTED))
    assert answer == (
        f"command rejected: {folder} leads to another directory now than when the user was asked"
    )


def test_a_denial_is_a_denial_even_if_the_directory_has_changed(desk: Desk) -> None:
    (desk.cwd / "link").symlink_to(".")
    request = replace(desk.request("./tool.sh"), cwd=desk.cwd / "link")
    desk.user.decision = ReviewDecision.DENIED
    assert text(desk.decide(request, policy=UNTRUSTED)) == "command rejected by user"


def test_what_was_allowed_for_the_session_runs_where_it_was_allowed(desk: Desk) -> None:
    request = desk.request("./tool.sh")
    desk.user.grants.add(grant_of(request, outside=False))
    assert desk.decide(request, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
    escalated = replace(request, escalated=True)
    desk.decide(escalated)
    assert len(desk.user.questions) == 1
    grant = grant_of(request, outside=True)
    desk.user.grants.add(grant)
    assert desk.decide(escalated) == Permission(False, grant)
    assert len(desk.user.questions) == 1
    desk.change()
    desk.decide(escalated)
    assert len(desk.user.questions) == 2


def test_what_cannot_be_recognised_again_is_allowed_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_files, "MOST_BYTES", 1)
    assert desk.decide(desk.request("./tool.sh", escalated=True)) == Permission(False, None)
    (question,) = desk.user.questions
    assert question.reason == (
        "it is to run outside of the sandbox (it can only be allowed once: it names files that are too large)"
    )
    assert question.grant is None
    assert question.proposal is None


def test_a_rule_that_forbids_rejects_whatever_was_allowed(desk: Desk) -> None:
    request = desk.request("./tool.sh")
    desk.user.grants.add(grant_of(request, outside=False))
    guards = rule(RuleDecision.FORBIDDEN, "./tool.sh")
    assert text(desk.decide(request, guards)) == "command rejected: a rule forbids it: so there"
    assert desk.user.questions == []


def test_a_rule_that_asks_offers_no_rule_and_remembers_the_answer(desk: Desk) -> None:
    request = desk.request("./tool.sh")
    guards = rule(RuleDecision.PROMPT, "./tool.sh")
    assert desk.decide(request, guards) == Permission(confined=True)
    (question,) = desk.user.questions
    assert question.reason == "a rule asks for it: so there"
    assert question.proposal is None
    assert "never to ask" in text(desk.decide(request, guards, policy=NEVER))
    desk.user.registered.append(RegisteredCommand(("./tool.sh",), "exact"))
    desk.decide(request, guards)
    assert len(desk.user.questions) == 2  # a rule that asks is stricter than one that allows
    desk.user.grants.add(grant_of(request, outside=False))
    assert desk.decide(request, guards) == Permission(confined=True)
    assert len(desk.user.questions) == 2


def test_a_rule_sees_what_a_command_hides(desk: Desk) -> None:
    guards = rule(RuleDecision.FORBIDDEN, "deploy")
    desk.decide(desk.request("bash", "-c", "make | sh"), guards)
    assert "text that it does not show" in desk.user.questions[0].reason
    assert "forbids" in text(desk.decide(desk.request("bash", "-c", "true && deploy now"), guards))


def test_a_rule_that_allows_holds_in_the_sandbox_or_outside_as_it_says(desk: Desk) -> None:
    request = desk.request("./tool.sh", "x")
    allowing = rule(RuleDecision.ALLOW, "./tool.sh")
    assert desk.decide(request, allowing, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
    escalated = replace(request, escalated=True)
    desk.decide(escalated, allowing)
    assert len(desk.user.questions) == 1
    outside = rule(RuleDecision.ALLOW, "./tool.sh", outside=True)
    assert desk.decide(escalated, outside) == Permission(False, grant_of(request, outside=True))
    assert len(desk.user.questions) == 1


def test_a_registered_command_holds_for_its_directory_and_its_files(desk: Desk) -> None:
    request = desk.request("./tool.sh", "x")
    known = grant_of(replace(request, escalated=True), outside=True).contents
    desk.user.registered.append(
        RegisteredCommand(("./tool.sh", "x"), "prefix", outside=True, cwd=desk.cwd, files=known)
    )
    escalated = replace(request, escalated=True)
    (desk.cwd / "link").symlink_to(".")
    assert isinstance(desk.decide(replace(escalated, cwd=desk.cwd / "link")), Permission)
    assert desk.user.questions == []
    desk.decide(replace(escalated, cwd=Path("/")))
    assert len(desk.user.questions) == 1
    desk.change()
    desk.decide(escalated)
    assert len(desk.user.questions) == 2


def test_git_that_is_allowed_with_others_only_reads_where_it_is_confined(desk: Desk) -> None:
    request = desk.request("bash", "-c", "git status && ./tool.sh")
    allowing = rule(RuleDecision.ALLOW, "./tool.sh", outside=True)
    assert desk.decide(request, allowing, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
    desk.decide(request, allowing, policy=UNTRUSTED, sandbox=DangerFullAccess())
    assert len(desk.user.questions) == 1


def test_a_change_after_the_answer_is_noticed(desk: Desk) -> None:
    request = desk.request("./tool.sh", escalated=True)
    allowed = Permission(False, grant_of(request, outside=True))
    assert anyio.run(changed_since, request, allowed) is None
    desk.change()
    output = anyio.run(changed_since, request, allowed)
    assert text(output).startswith("command rejected: a file that it names, or its directory, changed")
    assert anyio.run(changed_since, request, Permission(confined=True)) is None


def test_the_real_directory_is_the_grants(desk: Desk) -> None:
    (desk.cwd / "link").symlink_to(".")
    request = desk.request("./tool.sh", cwd=desk.cwd / "link")
    desk.user.grants.add(CommandGrant(("./tool.sh",), Path(os.path.realpath(desk.cwd))))
    assert desk.decide(request, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
