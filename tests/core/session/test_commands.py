"""Commands in a turn: confined, denied, approved, run again."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from code_core.protocol.events import WarningEvent
from code_core.protocol.ops import (
    ExecApproval,
    Interrupt,
    RegisterApprovedCommand,
)
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from code_core.sandbox.detection import Detection, detect, find
from code_core.sandbox.landlock import Landlock
from core.session.conversing import BYE, Frontend, after, call, made, user

confined = pytest.mark.skipif(detect().sandbox is None, reason=f"no sandbox here: {detect()}")
SANDBOX = detect().sandbox
MECHANISM = SANDBOX.mechanism if SANDBOX else None
READ, WRITE, FULL = SandboxMode
UNTRUSTED, FAILURE, REQUEST, NEVER = AskForApproval


@confined
def test_commands_in_the_sandbox_need_no_approval(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert made(frontend)
        assert "exec_approval_request" not in frontend.kinds

    command = call("sh", "-c", "touch made; echo $CODEX_SANDBOX $CODEX_SANDBOX_NETWORK_DISABLED")
    converse(script, command, after(f"{MECHANISM} 1"), sandbox=WRITE)


@confined
@pytest.mark.parametrize("policy", [UNTRUSTED, FAILURE, REQUEST])
@pytest.mark.parametrize("decision", list(ReviewDecision))
def test_a_denied_command_runs_again_outside_if_the_user_approves(
    converse: Callable[..., None], tmp_path: Path, policy: AskForApproval, decision: ReviewDecision
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        if policy is UNTRUSTED:
            assert "approval policy" in question.reason
            await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
            question = await frontend.until("exec_approval_request")
        assert "failed in the sandbox" in question.reason
        assert not made(frontend)
        await frontend.send(ExecApproval(id=question.approval_id, decision=decision))
        approved = decision not in {ReviewDecision.DENIED, ReviewDecision.ABORT}
        await frontend.until("turn_aborted" if decision is ReviewDecision.ABORT else "task_complete")
        assert made(frontend) is approved
        assert (
            frontend.kinds.count("exec_command_begin")
            == frontend.kinds.count("exec_command_end")
            == 1 + approved
        )

    shown = "rejected by user" if decision is ReviewDecision.DENIED else '"exit_code": 0'
    converse(script, call("touch", "made"), after(shown), sandbox=READ, approval_policy=policy)


@confined
def test_under_never_a_denial_goes_to_the_model(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_approval_request" not in frontend.kinds
        assert not made(frontend)

    converse(
        script,
        call("touch", "made"),
        after("cannot touch", stream=call("touch", "made", call_id="c2", with_escalated_permissions=True)),
        after("never to ask", call_id="c2"),
        sandbox=READ,
        approval_policy=NEVER,
    )


@confined
def test_an_ordinary_failure_causes_no_question(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_approval_request" not in frontend.kinds

    converse(
        script,
        call("sh", "-c", "echo failed; exit 3"),
        after('"exit_code": 3', stream=call("no-such-program", call_id="c2")),
        after('"exit_code": 127', call_id="c2"),
        sandbox=WRITE,
    )


@confined
def test_an_interrupt_withdraws_the_question_about_a_retry(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("exec_approval_request")
        await frontend.send(Interrupt())
        await frontend.until("turn_aborted")
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        assert "'c1'" in (await frontend.until("warning")).message
        assert not made(frontend)

    converse(script, call("touch", "made"), sandbox=READ)


def test_a_second_answer_is_reported_and_changes_nothing(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.DENIED))
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")
        if not any(event.msg.type == "warning" for event in frontend.seen):
            await frontend.until("warning")
        assert not made(frontend)

    converse(
        script, call("touch", "made"), after("rejected by user"), sandbox=FULL, approval_policy=UNTRUSTED
    )


@confined
def test_an_escalation_needs_approval_and_runs_outside(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert (question.reason, question.justification) == (
            "it would run outside the sandbox",
            "it must be made",
        )
        assert question.escalated
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED_FOR_SESSION))
        await frontend.until("task_complete")
        assert frontend.kinds.count("exec_approval_request") == 1
        assert frontend.kinds.count("exec_command_begin") == 2

    wanted: dict[str, Any] = {"with_escalated_permissions": True, "justification": "it must be made"}
    again = call("touch", "made", call_id="c2")
    converse(
        script, call("touch", "made", **wanted), again, after('"exit_code": 0', call_id="c2"), sandbox=READ
    )


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize("policy", [FAILURE, REQUEST])
def test_without_a_sandbox_commands_need_approval(
    converse: Callable[..., None], policy: AskForApproval
) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert question.reason == "commands cannot be confined to workspace-write here"
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")
        assert made(frontend)

    converse(script, call("touch", "made"), BYE, sandbox=WRITE, approval_policy=policy)


@pytest.mark.usefixtures("no_sandbox")
def test_under_never_commands_that_cannot_be_confined_are_rejected(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_approval_request" not in frontend.kinds
        assert not made(frontend)

    converse(script, call("touch", "made"), after("rejected"), sandbox=WRITE, approval_policy=NEVER)


def test_registered_commands_need_no_approval(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(RegisterApprovedCommand(command=["touch"], match_kind="prefix"))
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert question.call_id == "c2"
        assert made(frontend)
        await frontend.send(ExecApproval(id="c2", decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")

    compound = call("sh", "-c", "touch made && mkdir other", call_id="c2")
    converse(script, call("touch", "made"), compound, BYE, sandbox=FULL, approval_policy=UNTRUSTED)


@pytest.mark.parametrize("policy", [REQUEST, NEVER])
def test_a_guarded_command_needs_confirm_under_every_policy(
    converse: Callable[..., None], policy: AskForApproval
) -> None:
    async def script(frontend: Frontend) -> None:
        (frontend.conversation.config.cwd / "made").write_text("")
        await frontend.send(RegisterApprovedCommand(command=["rm"], match_kind="prefix"))
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert not made(frontend)
        assert frontend.kinds.count("exec_command_begin") == 1

    converse(
        script,
        call("rm", "-rf", "made"),
        after(
            '["confirm:", "rm", "-rf", "made"]', stream=call("confirm:", "rm", "-rf", "made", call_id="c2")
        ),
        after('"exit_code": 0', call_id="c2"),
        sandbox=FULL,
        approval_policy=policy,
    )


def test_a_command_nested_too_deeply_is_rejected(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_command_begin" not in frontend.kinds

    converse(
        script, call("sh", "-c", "$(" * 60), after("nested too deeply"), sandbox=FULL, approval_policy=NEVER
    )


def test_a_nul_character_is_rejected(converse: Callable[..., None]) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_command_begin" not in frontend.kinds

    converse(
        script, call("cat", "a\0b"), after("contains a NUL character"), sandbox=FULL, approval_policy=NEVER
    )


def test_the_users_guards_and_rules_apply(converse: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        '[[confirm_guard.patterns]]\nregex = "deploy.*prod"\nmessage = "to prod?"\n'
    )
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.toml").write_text('[[rule]]\npattern = ["touch"]\ndecision = "forbidden"\n')
    project = tmp_path / "work/.code/rules"
    project.mkdir(parents=True)
    (project / "a.toml").write_text('[[rule]]\npattern = ["touch"]\ndecision = "allow"\n')

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_command_begin" not in frontend.kinds

    converse(
        script,
        call("sh", "-c", "true; ./deploy --to prod"),
        after("to prod?", stream=call("sh", "-c", "true && touch made", call_id="c2")),
        after("a rule forbids it", call_id="c2"),
        sandbox=FULL,
        approval_policy=NEVER,
    )


@confined
def test_the_agents_settings_stay_protected(converse: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "work/.code").mkdir(parents=True)

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert made(frontend, ".code/x") is (MECHANISM == "landlock")

    converse(script, call("touch", ".code/x"), BYE, sandbox=WRITE, approval_policy=NEVER)


@pytest.fixture
def landlock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    finding = find("landlock")
    if not isinstance(finding.sandbox, Landlock):
        pytest.skip(f"Landlock: {finding.detail}")
    monkeypatch.setattr("code_core.tools.shell_commands.detect_sandbox", lambda: Detection((finding,)))
    yield
    finding.sandbox.close()


@pytest.mark.usefixtures("landlock")
@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("echo x > .git/hooks/pre-commit", ".git/hooks"),
        ("mv .git/config .git/hooks/config", ".git/config"),
        ("echo x >> sub/.git/config; touch -d 2020-01-01 sub/.git/config", "sub/.git/config"),
        ("echo x > .code/rules/mine.toml; sleep 30", ".code/rules"),
        ("ln -s .. .git/hooks/a", ".git/hooks"),
        ("echo x > .git/index; cat .git/config", ""),
    ],
)
def test_the_user_is_warned_about_what_landlock_could_not_protect(
    converse: Callable[..., None],
    tmp_path: Path,
    script: str,
    named: str,
) -> None:
    work = tmp_path / "work"
    for folder in (".git/hooks", "sub/.git", ".code/rules"):
        (work / folder).mkdir(parents=True)
    for file in (".git/config", "sub/.git/config"):
        (work / file).write_text("[core]\n")
    (tmp_path / "config.toml").write_text("[sandbox_workspace_write]\nallow_git_writes = false\n")

    async def talk(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        warned = [event.msg.message for event in frontend.seen if isinstance(event.msg, WarningEvent)]
        assert [str(work / named) in text for text in warned] == ([True] if named else [])

    converse(talk, call("sh", "-c", script, timeout_ms=2000), BYE, sandbox=WRITE)


async def _asked_in(frontend: Frontend) -> Any:
    await frontend.send(user("go"))
    return await frontend.until("exec_approval_request")


def test_the_user_is_asked_about_the_directory_that_a_link_leads_to(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    async def script(frontend: Frontend) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (frontend.conversation.config.cwd / "build").symlink_to(elsewhere)
        question = await _asked_in(frontend)
        assert question.cwd == elsewhere.resolve()
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")

    converse(script, call("touch", "made", workdir="build"), BYE, approval_policy=UNTRUSTED, sandbox=FULL)


def test_no_command_runs_if_its_directory_becomes_a_link_while_the_user_is_asked(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"

    async def script(frontend: Frontend) -> None:
        elsewhere.mkdir()
        build = frontend.conversation.config.cwd / "build"
        build.mkdir()
        await _asked_in(frontend)
        build.rmdir()
        build.symlink_to(elsewhere)
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED))
        await frontend.until("task_complete")
        assert "exec_command_begin" not in frontend.kinds
        assert not (elsewhere / "made").exists()

    rejected = after("no longer leads to the directory")
    converse(
        script, call("touch", "made", workdir="build"), rejected, approval_policy=UNTRUSTED, sandbox=FULL
    )


def test_a_program_in_the_workspace_named_like_a_shell_needs_approval(
    converse: Callable[..., None],
) -> None:
    async def script(frontend: Frontend) -> None:
        program = frontend.conversation.config.cwd / "bash"
        program.write_text("#!/bin/sh\ntouch made\n")
        program.chmod(0o755)
        question = await _asked_in(frontend)
        assert question.proposed_rule is None
        assert not made(frontend)
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert not made(frontend)

    converse(script, call("./bash", "-c", "ls"), BYE, approval_policy=UNTRUSTED, sandbox=FULL)
