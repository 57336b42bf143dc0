"""What the user has allowed before: for the session, by a rule, or by a pattern."""

import os
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from code_core.protocol.policies import (
    DangerFullAccess,
)
from code_core.safety.grants import CommandGrant
from code_core.safety.rules import RegisteredCommand, RuleDecision
from code_core.tools import command_files
from code_core.tools.command_approval import grant_of, granted_outside
from code_core.tools.command_permission import (
    Permission,
)
from core.tools.command_desk import NEVER, UNTRUSTED, Desk, rule, text


def test_a_command_allowed_for_the_session_runs_where_it_was_allowed(desk: Desk) -> None:
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


def test_what_was_allowed_outside_for_the_session_counts_until_its_files_change(desk: Desk) -> None:
    request = desk.request("./tool.sh")
    context = replace(desk.context, approver=desk.user)
    desk.user.grants.add(grant_of(request, outside=False))
    assert not anyio.run(granted_outside, request, context)
    desk.user.grants.add(grant_of(request, outside=True))
    assert anyio.run(granted_outside, request, context)
    desk.change()
    assert not anyio.run(granted_outside, request, context)


def test_what_cannot_be_recognised_again_is_allowed_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_files, "MOST_BYTES", 1)
    assert desk.decide(desk.request("./tool.sh", escalated=True)) == Permission(False, None)
    (question,) = desk.user.questions
    assert question.reason == (
        "it would run outside the sandbox (it can only be allowed once: it names files that are too large)"
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


def test_rules_take_hidden_program_text_into_account(desk: Desk) -> None:
    guards = rule(RuleDecision.FORBIDDEN, "deploy")
    desk.decide(desk.request("bash", "-c", "make | sh"), guards)
    assert "text that it does not show" in desk.user.questions[0].reason
    assert "forbids" in text(desk.decide(desk.request("bash", "-c", "true && deploy now"), guards))


def test_an_allowing_rule_applies_inside_or_outside_the_sandbox_as_configured(desk: Desk) -> None:
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


def test_a_registered_command_is_allowed_for_its_directory_and_files(desk: Desk) -> None:
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


def test_git_next_to_allowed_commands_counts_as_read_only_if_confined(desk: Desk) -> None:
    request = desk.request("bash", "-c", "git status && ./tool.sh")
    allowing = rule(RuleDecision.ALLOW, "./tool.sh", outside=True)
    assert desk.decide(request, allowing, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
    desk.decide(request, allowing, policy=UNTRUSTED, sandbox=DangerFullAccess())
    assert len(desk.user.questions) == 1


def test_a_grant_is_for_the_resolved_directory(desk: Desk) -> None:
    (desk.cwd / "link").symlink_to(".")
    request = desk.request("./tool.sh", cwd=desk.cwd / "link")
    desk.user.grants.add(CommandGrant(("./tool.sh",), Path(os.path.realpath(desk.cwd))))
    assert desk.decide(request, policy=UNTRUSTED) == Permission(confined=True)
    assert desk.user.questions == []
