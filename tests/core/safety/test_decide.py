from pathlib import Path

import pytest

from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.safety.decide import (
    Allow,
    Ask,
    CommandDecision,
    Decision,
    Reject,
    Run,
    decide_command,
    decide_patch,
    decide_server_tool,
)
from code_core.safety.known_safe import Reading
from code_core.safety.planning import NOTHING_CHANGES
from code_core.safety.rules import PrefixRule, RuleDecision

READ, WRITE, FULL = ReadOnly(), WorkspaceWrite(), DangerFullAccess()
UNTRUSTED, FAILURE, REQUEST, NEVER = AskForApproval
INSIDE, OUTSIDE, HOME = Path("/w/a"), Path("/other/a"), Path("/w/.code")

IN, OUT = "runs confined", "runs outside"
ASK_IN, ASK_OUT = "asks, then confined", "asks, then outside"
NO = "rejects"


def named(decision: CommandDecision) -> str:
    match decision:
        case Run(confined=confined):
            return IN if confined else OUT
        case Ask(confined=confined):
            return ASK_IN if confined else ASK_OUT
        case Reject():
            return NO


@pytest.mark.parametrize(
    ("policy", "sandbox", "confinable", "command", "reading", "escalated", "approved", "approved_escalated"),
    [
        (UNTRUSTED, READ, True, ASK_IN, IN, ASK_OUT, IN, OUT),
        (UNTRUSTED, WRITE, True, ASK_IN, IN, ASK_OUT, IN, OUT),
        (UNTRUSTED, FULL, True, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (FAILURE, READ, True, IN, IN, ASK_OUT, IN, OUT),
        (FAILURE, WRITE, True, IN, IN, ASK_OUT, IN, OUT),
        (FAILURE, FULL, True, OUT, OUT, OUT, OUT, OUT),
        (REQUEST, READ, True, IN, IN, ASK_OUT, IN, OUT),
        (REQUEST, WRITE, True, IN, IN, ASK_OUT, IN, OUT),
        (REQUEST, FULL, True, OUT, OUT, OUT, OUT, OUT),
        (NEVER, READ, True, IN, IN, NO, IN, NO),
        (NEVER, WRITE, True, IN, IN, NO, IN, NO),
        (NEVER, FULL, True, OUT, OUT, OUT, OUT, OUT),
        # no sandbox on this machine
        (UNTRUSTED, READ, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (UNTRUSTED, WRITE, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (UNTRUSTED, FULL, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (FAILURE, READ, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (FAILURE, WRITE, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (FAILURE, FULL, False, OUT, OUT, OUT, OUT, OUT),
        (REQUEST, READ, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (REQUEST, WRITE, False, ASK_OUT, OUT, ASK_OUT, OUT, OUT),
        (REQUEST, FULL, False, OUT, OUT, OUT, OUT, OUT),
        (NEVER, READ, False, NO, OUT, NO, OUT, NO),
        (NEVER, WRITE, False, NO, OUT, NO, OUT, NO),
        (NEVER, FULL, False, OUT, OUT, OUT, OUT, OUT),
    ],
)
def test_decisions_about_commands(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    confinable: bool,
    command: str,
    reading: str,
    escalated: str,
    approved: str,
    approved_escalated: str,
) -> None:
    def decided(*, reads: Reading = Reading.NO, approved: bool = False, escalated: bool = False) -> str:
        return named(
            decide_command(
                policy,
                sandbox,
                confinable=confinable,
                reads=reads,
                approved=approved,
                escalated=escalated,
            )
        )

    assert decided() == command
    assert decided(reads=Reading.ALWAYS) == reading
    assert decided(reads=Reading.WHEN_CONFINED) == (reading if reading == IN else command)
    assert decided(escalated=True) == escalated
    assert decided(approved=True) == approved
    assert decided(approved=True, escalated=True) == approved_escalated


@pytest.mark.parametrize("policy", AskForApproval)
@pytest.mark.parametrize("sandbox", [READ, WRITE, FULL])
def test_rules_take_precedence_over_policies(policy: AskForApproval, sandbox: SandboxPolicy) -> None:
    def decided(decision: RuleDecision, *, approved: bool = False) -> str:
        rule = PrefixRule((frozenset({"a"}),), decision)
        return named(
            decide_command(
                policy, sandbox, confinable=True, reads=Reading.ALWAYS, approved=approved, rule=rule
            )
        )

    confined = sandbox is not FULL
    asks = NO if policy is NEVER else ASK_IN if confined else ASK_OUT
    assert decided(RuleDecision.FORBIDDEN) == NO
    assert decided(RuleDecision.FORBIDDEN, approved=True) == NO
    assert decided(RuleDecision.PROMPT) == asks
    assert decided(RuleDecision.PROMPT, approved=True) == (IN if confined else OUT)


@pytest.mark.parametrize(
    ("confinable", "sandbox", "reads", "escalated", "decision"),
    [
        (True, READ, Reading.NO, False, IN),
        (True, READ, Reading.NO, True, NO),
        (True, READ, Reading.ALWAYS, True, NO),
        (True, FULL, Reading.NO, False, NO),
        (True, FULL, Reading.ALWAYS, False, OUT),
        (False, READ, Reading.NO, False, NO),
        (False, READ, Reading.WHEN_CONFINED, False, NO),
        (False, READ, Reading.ALWAYS, False, OUT),
    ],
)
@pytest.mark.parametrize("approved", [True, False])
def test_in_plan_mode_commands_must_be_confined_or_read_only(
    confinable: bool, sandbox: SandboxPolicy, reads: Reading, escalated: bool, decision: str, approved: bool
) -> None:
    decided = decide_command(
        REQUEST,
        sandbox,
        confinable=confinable,
        reads=reads,
        approved=approved,
        escalated=escalated,
        planning=True,
    )
    assert named(decided) == decision
    if isinstance(decided, Reject):
        here = "" if escalated else "; commands cannot be confined here"
        assert decided.reason == f"{NOTHING_CHANGES}{here}"


def test_the_reason_of_a_rule_is_given() -> None:
    rule = PrefixRule((frozenset({"a"}),), RuleDecision.FORBIDDEN, "never on Fridays")
    assert decide_command(REQUEST, FULL, confinable=False, rule=rule) == Reject(
        "a rule forbids it: never on Fridays"
    )


@pytest.mark.parametrize(
    ("policy", "sandbox", "confinable", "inside", "outside", "settings"),
    [
        (UNTRUSTED, READ, True, Ask, Ask, Ask),
        (UNTRUSTED, WRITE, True, Ask, Ask, Ask),
        (UNTRUSTED, WRITE, False, Ask, Ask, Ask),
        (UNTRUSTED, FULL, True, Ask, Ask, Ask),
        (FAILURE, READ, True, Ask, Ask, Ask),
        (FAILURE, WRITE, True, Allow, Ask, Ask),
        (FAILURE, WRITE, False, Ask, Ask, Ask),
        (FAILURE, FULL, True, Allow, Allow, Allow),
        (FAILURE, FULL, False, Allow, Allow, Allow),
        (REQUEST, READ, True, Ask, Ask, Ask),
        (REQUEST, WRITE, True, Allow, Ask, Ask),
        (REQUEST, WRITE, False, Ask, Ask, Ask),
        (REQUEST, FULL, True, Allow, Allow, Allow),
        (REQUEST, FULL, False, Allow, Allow, Allow),
        (NEVER, READ, True, Reject, Reject, Reject),
        (NEVER, WRITE, True, Allow, Reject, Reject),
        (NEVER, WRITE, False, Reject, Reject, Reject),
        (NEVER, FULL, True, Allow, Allow, Allow),
        (NEVER, FULL, False, Allow, Allow, Allow),
    ],
)
def test_decisions_about_patches(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    confinable: bool,
    inside: type[Decision],
    outside: type[Decision],
    settings: type[Decision],
) -> None:
    for paths, expected in (
        ([INSIDE], inside),
        ([INSIDE, OUTSIDE], outside),
        ([INSIDE, HOME / "config.toml"], settings),
    ):
        decision = decide_patch(
            policy,
            sandbox,
            confinable=confinable,
            paths=paths,
            roots=[Path("/w")],
            protected={HOME: "belongs to the agent's own settings"},
            approved=False,
        )
        assert isinstance(decision, expected)


@pytest.mark.parametrize("policy", AskForApproval)
@pytest.mark.parametrize("confinable", [True, False])
def test_patches_that_were_approved_for_the_session_are_allowed(
    policy: AskForApproval, confinable: bool
) -> None:
    decision = decide_patch(
        policy, READ, confinable=confinable, paths=[OUTSIDE], roots=[], protected={}, approved=True
    )
    assert decision == Allow()


def _workspace_decision(path: str, *, git: bool = True, confinable: bool = True) -> Decision:
    return decide_patch(
        REQUEST,
        WorkspaceWrite(allow_git_writes=git),
        confinable=confinable,
        paths=[Path("/w/fine"), Path(path)],
        roots=[Path("/w")],
        protected={Path("/w/.code"): "belongs to the agent's own settings"},
        approved=False,
    )


def test_a_sibling_directory_with_the_same_prefix_is_outside() -> None:
    assert _workspace_decision("/w-evil/a") == Ask("/w-evil/a is outside the writable directories")


@pytest.mark.parametrize(
    ("path", "git", "reason"),
    [
        ("/w/.code/config.toml", True, "belongs to the agent's own settings"),
        ("/w/.code", True, "belongs to the agent's own settings"),
        ("/w/.codes", True, None),
        ("/w/.git/hooks/pre-commit", True, "can make git run programs"),
        ("/w/.git/config", True, "can make git run programs"),
        ("/w/.git/modules/a/config", True, "can make git run programs"),
        ("/w/.git", True, "can make git run programs"),
        ("/w/new/.git/config", True, "can make git run programs"),
        ("/w/.git/COMMIT_EDITMSG", True, None),
        ("/w/.git/COMMIT_EDITMSG", False, "belongs to git"),
        ("/w/.git/hooks/pre-commit", False, "belongs to git"),
        ("/w/vendored/.git/config", False, "belongs to git"),
        ("/w/.gitignore", False, None),
        ("/w/hooks/config", True, None),
    ],
)
def test_settings_and_git_are_protected_inside_the_writable_directories(
    path: str, git: bool, reason: str | None
) -> None:
    decision = _workspace_decision(path, git=git)
    assert decision == Allow() if reason is None else isinstance(decision, Ask) and reason in decision.reason


def test_without_a_sandbox_the_reason_says_so() -> None:
    assert _workspace_decision("/w/a", confinable=False) == Ask(
        "commands cannot be confined to workspace-write here"
    )
    decision = _workspace_decision("/w/.git/config", confinable=False)
    assert decision == Ask("/w/.git/config can make git run programs")


@pytest.mark.parametrize("policy", list(AskForApproval))
@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("approved", [False, True])
def test_server_tools_need_approval_under_the_policy_that_asks_for_every_command(
    policy: AskForApproval, read_only: bool, approved: bool
) -> None:
    decision = decide_server_tool(policy, read_only=read_only, approved=approved)
    if policy is AskForApproval.UNTRUSTED and not read_only and not approved:
        assert decision == Ask("the approval policy is to ask for every tool that does more than read")
    else:
        assert decision == Allow()


@pytest.mark.parametrize("approved", [True, False])
def test_in_plan_mode_only_read_only_server_tools_may_run(approved: bool) -> None:
    def decided(*, read_only: bool) -> Decision:
        return decide_server_tool(REQUEST, read_only=read_only, approved=approved, planning=True)

    assert decided(read_only=True) == Allow()
    reason = f"{NOTHING_CHANGES}; its server does not declare it as read-only"
    assert decided(read_only=False) == Reject(reason)
