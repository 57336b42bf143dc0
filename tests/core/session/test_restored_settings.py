"""Which recorded settings a resumed session keeps."""

from pathlib import Path
from typing import Any

import pytest

from code_core.config.load import Config
from code_core.protocol.ops import OverrideTurnContext
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    DangerFullAccess,
    ReadOnly,
    SandboxMode,
    SandboxPolicy,
    WorkspaceWrite,
)
from code_core.session.stored.restored_settings import settings_to_restore
from core.session.scripted import scripted_config

RECORDED: dict[str, Any] = {
    "cwd": "/elsewhere",
    "model": "recorded-model",
    "effort": "high",
    "summary": "detailed",
    "approval_policy": AskForApproval.UNTRUSTED,
    "sandbox_policy": ReadOnly(),
}
ALL = {"model", "effort", "summary", "approval_policy", "sandbox_policy"}
POLICIES = [
    AskForApproval.UNTRUSTED,
    AskForApproval.ON_REQUEST,
    AskForApproval.ON_FAILURE,
    AskForApproval.NEVER,
]


def restored(
    config: Config, *given: str, provider: str = "", **recorded: Any
) -> tuple[OverrideTurnContext, str]:
    settings = OverrideTurnContext.model_validate(recorded or RECORDED)
    kept, notes = settings_to_restore(settings, frozenset(given), config, provider)
    return kept, "; ".join(notes)


@pytest.mark.parametrize(
    ("given", "dropped"),
    [
        ((), set[str]()),
        (("model",), {"model", "effort", "summary"}),
        (("model_provider",), {"model", "effort", "summary"}),
        (("profile",), ALL),
        (("model_reasoning_effort",), {"effort"}),
        (("model_reasoning_summary",), {"summary"}),
        (("approval_policy",), {"approval_policy"}),
        (("sandbox_mode",), {"sandbox_policy"}),
        (("cwd", "other"), set[str]()),
    ],
)
def test_settings_for_this_run_take_precedence(
    config: Config, given: tuple[str, ...], dropped: set[str]
) -> None:
    kept, _ = restored(config, *given)
    assert kept.model_fields_set == ALL - dropped
    for name in ALL - dropped:
        assert getattr(kept, name) == getattr(OverrideTurnContext.model_validate(RECORDED), name)


def test_unrecorded_settings_are_not_restored(config: Config) -> None:
    kept, note = restored(config, model="m")
    assert kept.model_fields_set == {"model"}
    assert note == ""


def test_the_model_of_another_provider_is_not_restored(config: Config) -> None:
    same, note = restored(config, provider=config.provider.id, model="m", effort="high")
    assert same.model_fields_set == {"model", "effort"}
    assert note == ""
    other, note = restored(config, provider="other", model="m", effort="high", summary="detailed")
    assert other.model_fields_set == set()
    assert note == (
        f"it began with the provider 'other' and now uses {config.model} of {config.provider.id!r}"
    )
    without_model, note = restored(config, provider="other", effort="high")
    assert without_model.model_fields_set == {"effort"}
    assert note == ""


@pytest.mark.parametrize(
    ("mode", "kept_mode", "noted"),
    [("plan", CollaborationMode.PLAN, "it is still in plan mode"), ("default", None, "")],
)
def test_recorded_and_configured_plan_mode_both_apply(
    config: Config, mode: str, kept_mode: CollaborationMode | None, noted: str
) -> None:
    kept, note = restored(config, collaboration_mode=mode)
    assert (kept.collaboration_mode, note) == (kept_mode, noted)


@pytest.mark.parametrize("now", POLICIES)
@pytest.mark.parametrize("then", POLICIES)
def test_a_resumed_session_never_asks_less(tmp_path: Path, then: AskForApproval, now: AskForApproval) -> None:
    kept, note = restored(scripted_config(tmp_path, approval_policy=now), approval_policy=then)
    if POLICIES.index(then) > POLICIES.index(now):
        assert kept.approval_policy is None
        assert note == (
            f"its approval policy was {then.value}, and is {now.value} now, as configured "
            f"(-a {then.value} restores it)"
        )
    else:
        assert kept.approval_policy is then
        assert note == ("" if then is now else f"its approval policy stays {then.value} (-a changes it)")


WIDTHS: list[SandboxPolicy] = [ReadOnly(), WorkspaceWrite(), DangerFullAccess()]


@pytest.mark.parametrize("now", range(3))
@pytest.mark.parametrize("then", range(3))
def test_a_resumed_session_never_has_a_wider_sandbox(tmp_path: Path, then: int, now: int) -> None:
    current = SandboxMode(WIDTHS[now].mode)
    kept, note = restored(scripted_config(tmp_path, sandbox_mode=current), sandbox_policy=WIDTHS[then])
    mode = WIDTHS[then].mode
    if then == now:
        assert (kept.sandbox_policy, note) == (None, "")
    elif then > now:
        assert kept.sandbox_policy is None
        assert (
            note
            == f"its sandbox was {mode}, and is {current.value} now, as configured (-s {mode} restores it)"
        )
    else:
        assert kept.sandbox_policy == WIDTHS[then]
        assert note == f"its sandbox stays {mode} (-s changes it)"
