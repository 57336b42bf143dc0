from pathlib import Path

import pytest

from code_core.protocol.policies import (
    AskForApproval,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.safety.decide import Allow, Ask, Decision, Reject, decide_command, decide_patch

READ, WRITE, FULL = ReadOnly(), WorkspaceWrite(), DangerFullAccess()
UNTRUSTED, FAILURE, REQUEST, NEVER = AskForApproval
INSIDE, OUTSIDE = Path("/w/a"), Path("/other/a")


@pytest.mark.parametrize(
    ("policy", "sandbox", "command", "inside", "outside"),
    [
        (UNTRUSTED, READ, Ask, Ask, Ask),
        (UNTRUSTED, WRITE, Ask, Ask, Ask),
        (UNTRUSTED, FULL, Ask, Ask, Ask),
        (FAILURE, READ, Ask, Ask, Ask),
        (FAILURE, WRITE, Ask, Allow, Ask),
        (FAILURE, FULL, Allow, Allow, Allow),
        (REQUEST, READ, Ask, Ask, Ask),
        (REQUEST, WRITE, Ask, Allow, Ask),
        (REQUEST, FULL, Allow, Allow, Allow),
        (NEVER, READ, Reject, Reject, Reject),
        (NEVER, WRITE, Reject, Allow, Reject),
        (NEVER, FULL, Allow, Allow, Allow),
    ],
)
def test_the_table(
    policy: AskForApproval,
    sandbox: SandboxPolicy,
    command: type[Decision],
    inside: type[Decision],
    outside: type[Decision],
) -> None:
    assert isinstance(decide_command(policy, sandbox, approved=False), command)
    for paths, expected in (([INSIDE], inside), ([INSIDE, OUTSIDE], outside)):
        decision = decide_patch(
            policy, sandbox, paths=paths, roots=[Path("/w")], protected=[], approved=False
        )
        assert isinstance(decision, expected)


@pytest.mark.parametrize("policy", AskForApproval)
def test_what_was_approved_for_the_session_is_allowed(policy: AskForApproval) -> None:
    assert decide_command(policy, READ, approved=True) == Allow()
    assert decide_patch(policy, READ, paths=[OUTSIDE], roots=[], protected=[], approved=True) == Allow()


def test_a_sibling_with_the_same_beginning_is_outside() -> None:
    decision = decide_patch(
        REQUEST, WRITE, paths=[Path("/w-evil/a")], roots=[Path("/w")], protected=[], approved=False
    )
    assert decision == Ask("/w-evil/a is outside the writable directories")


@pytest.mark.parametrize(
    ("path", "git", "said"),
    [
        ("/w/.code/config.toml", True, "belongs to the agent's own settings"),
        ("/w/.code", True, "belongs to the agent's own settings"),
        ("/w/.codes", True, None),
        ("/w/.git/hooks/pre-commit", True, None),
        ("/w/.git/hooks/pre-commit", False, "belongs to git"),
        ("/w/vendored/.git/config", False, "belongs to git"),
        ("/w/.gitignore", False, None),
    ],
)
def test_settings_and_git_are_protected_inside_of_the_writable_directories(
    path: str, git: bool, said: str | None
) -> None:
    decision = decide_patch(
        NEVER,
        WorkspaceWrite(allow_git_writes=git),
        paths=[Path("/w/fine"), Path(path)],
        roots=[Path("/w")],
        protected=[Path("/w/.code")],
        approved=False,
    )
    assert decision == Allow() if said is None else isinstance(decision, Reject) and said in decision.reason
