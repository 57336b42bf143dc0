"""Commands that the user allows permanently."""

import threading
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from code_core.config.guards import append_rule
from code_core.protocol.ops import ExecApproval
from code_core.protocol.policies import AskForApproval, ReviewDecision, SandboxMode
from code_core.safety.rules import PrefixRule, RuleDecision
from code_core.safety.rules_file import parse_rules, render_rule
from code_core.sandbox.detection import detect
from core.session.conversing import Frontend, after, call, made, user

confined = pytest.mark.skipif(detect().sandbox is None, reason=f"no sandbox here: {detect()}")
READ, WRITE = SandboxMode.READ_ONLY, SandboxMode.WORKSPACE_WRITE
UNTRUSTED = AskForApproval.UNTRUSTED


def rule(tmp_path: Path) -> str:
    return f'[[rule]]\npattern = ["touch"]\ndecision = "allow"\ncwd = "{tmp_path}/work"\n'


def outside_rule(tmp_path: Path) -> str:
    exact = (
        f'[[rule]]\npattern = ["touch", "made"]\ndecision = "allow"\nexact = true\ncwd = "{tmp_path}/work"\n'
    )
    return f"{exact}outside = true\nfiles = {{}}\n"


def allowing(*words: str) -> str:
    return render_rule(PrefixRule(tuple(frozenset({word}) for word in words), RuleDecision.ALLOW))


@confined
def test_a_rule_allows_running_outside_the_sandbox_only_if_the_question_was_about_that(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    file = tmp_path / "rules/always-allowed.toml"

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert "outside =" not in question.proposed_rule
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED_PREFIX))
        question = await frontend.until("exec_approval_request")
        assert "failed in the sandbox" in question.reason
        assert question.proposed_rule == outside_rule(tmp_path)
        assert "exactly `touch made`" in question.rule_allows
        assert not made(frontend)
        await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.APPROVED_PREFIX))
        question = await frontend.until("exec_approval_request")
        assert question.command == ["touch", "made", "more"]
        assert question.escalated  # inside the sandbox it is allowed, outside only `touch made` is
        await frontend.send(ExecApproval(id=question.approval_id, decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")
        assert made(frontend)
        assert not made(frontend, "more")
        assert frontend.kinds.count("exec_approval_request") == 3

    again = after('"exit_code": 0', stream=call("touch", "made", call_id="c2"))
    more = after('"exit_code": 0', call_id="c2", stream=call("touch", "made", "more", call_id="c3"))
    converse(script, call("touch", "made"), again, more, after("rejected", call_id="c3"),
             sandbox=READ, approval_policy=UNTRUSTED)  # fmt: skip
    assert file.read_text() == f"{rule(tmp_path)}\n{outside_rule(tmp_path)}"


@pytest.mark.usefixtures("no_sandbox")
@pytest.mark.parametrize("writable", [True, False])
def test_a_command_that_is_always_allowed_becomes_a_rule(
    converse: Callable[..., None], tmp_path: Path, writable: bool
) -> None:
    file = tmp_path / "rules/always-allowed.toml"
    if not writable:
        file.parent.write_text("no folder")

    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert question.proposed_rule == outside_rule(tmp_path)
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED_PREFIX))
        await frontend.until("task_complete")
        assert made(frontend)
        assert frontend.kinds.count("exec_approval_request") == 1
        assert ("warning" in frontend.kinds) is not writable

    converse(
        script,
        call("touch", "made"),
        after('"exit_code": 0', stream=call("touch", "made", call_id="c2")),
        after('"exit_code": 0', call_id="c2"),
        sandbox=WRITE,
    )
    if writable:
        assert file.read_text() == outside_rule(tmp_path)
        assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.usefixtures("no_sandbox")
def test_rules_that_the_user_added_apply_in_the_next_conversation(
    converse: Callable[..., None], tmp_path: Path
) -> None:
    async def allow(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED_PREFIX))
        await frontend.until("task_complete")

    async def unasked(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        await frontend.until("task_complete")
        assert "exec_approval_request" not in frontend.kinds

    for command in (["touch", "made"], ["mkdir", "-p", "x"]):
        converse(allow, call(*command), after('"exit_code": 0'), sandbox=WRITE)
        converse(
            unasked,
            call(*command),
            after('"exit_code": 0'),
            sandbox=WRITE,
        )
    assert (tmp_path / "rules/always-allowed.toml").read_text().count("[[rule]]") == 2


@pytest.mark.usefixtures("no_sandbox")
def test_without_a_proposed_rule_always_means_once(converse: Callable[..., None], tmp_path: Path) -> None:
    async def script(frontend: Frontend) -> None:
        await frontend.send(user("go"))
        question = await frontend.until("exec_approval_request")
        assert question.proposed_rule is None
        await frontend.send(ExecApproval(id="c1", decision=ReviewDecision.APPROVED_PREFIX))
        await frontend.until("exec_approval_request")
        await frontend.send(ExecApproval(id="c2", decision=ReviewDecision.DENIED))
        await frontend.until("task_complete")

    script_of = ("sh", "-c", "touch made && touch more")
    again = after('"exit_code": 0', stream=call(*script_of, call_id="c2"))
    converse(script, call(*script_of), again, after("rejected", call_id="c2"), sandbox=WRITE)
    assert not (tmp_path / "rules").exists()


def test_rules_added_by_several_agents_are_all_kept(tmp_path: Path) -> None:
    file = tmp_path / "rules/always-allowed.toml"

    def add(name: str) -> None:
        for number in range(20):
            append_rule(file, allowing(name, str(number)))

    threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(parse_rules(tomllib.loads(file.read_text()), "rules")) == 80


@pytest.mark.parametrize("before", ["rule = []\n", "[[rule\n", "\ufeff"])
def test_a_file_to_which_no_rule_can_be_appended_is_not_changed(tmp_path: Path, before: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(before)
    with pytest.raises(ValueError, match="."):  # noqa: RUF043 - any text
        append_rule(file, allowing("a"))
    assert file.read_text() == before
