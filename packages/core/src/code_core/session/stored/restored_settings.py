"""Decides which recorded settings a resumed session restores: never any that widen the current permissions."""

from collections.abc import Iterator
from typing import Any

from code_core.config.load import Config
from code_core.protocol.ops import OverrideTurnContext
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    DangerFullAccess,
    ReadOnly,
    SandboxPolicy,
)

# Settings given for this run take precedence over recorded ones, however they are spelled.
_SPELLINGS = {
    "model": frozenset({"model", "model_provider", "profile"}),
    "effort": frozenset({"model", "model_provider", "profile", "model_reasoning_effort"}),
    "summary": frozenset({"model", "model_provider", "profile", "model_reasoning_summary"}),
    "approval_policy": frozenset({"approval_policy", "profile"}),
    "sandbox_policy": frozenset({"sandbox_mode", "profile"}),
    "collaboration_mode": frozenset({"collaboration_mode"}),
}
_FREEDOM = (
    AskForApproval.UNTRUSTED,
    AskForApproval.ON_REQUEST,
    AskForApproval.ON_FAILURE,
    AskForApproval.NEVER,
)


def settings_to_restore(
    recorded: OverrideTurnContext, given: frozenset[str], config: Config, provider: str
) -> tuple[OverrideTurnContext, tuple[str, ...]]:
    """Return the recorded settings that override `config`, and notes for the user about the others.

    Args:
        recorded: the settings of the session's last turn.
        given: the keys set for this run.
        config: the current settings, in the session's working directory.
        provider: the recorded model provider; empty if unknown.
    """
    kept: dict[str, Any] = {
        name: getattr(recorded, name)
        for name, spellings in _SPELLINGS.items()
        if name in recorded.model_fields_set and not given & spellings
    }
    notes: list[str] = []
    if provider and provider != config.provider.id and "model" in kept:
        for name in ("model", "effort", "summary"):
            kept.pop(name, None)
        notes.append(
            f"it began with the provider {provider!r} and now uses {config.model} of {config.provider.id!r}"
        )
    notes += _bounded_approvals(kept, config)
    notes += _bounded_sandbox(kept, config)
    if kept.get("collaboration_mode") is CollaborationMode.PLAN:
        notes.append("it is still in plan mode")
    else:
        kept.pop("collaboration_mode", None)  # a configured plan mode wins, as the stricter one
    return OverrideTurnContext.model_validate(kept), tuple(notes)


def _bounded_approvals(kept: dict[str, Any], config: Config) -> Iterator[str]:
    recorded = kept.get("approval_policy")
    if recorded is None or recorded == config.approval_policy:
        return
    if _FREEDOM.index(recorded) > _FREEDOM.index(config.approval_policy):
        del kept["approval_policy"]
        yield (
            f"its approval policy was {recorded.value}, and is {config.approval_policy.value} now, as configured "
            f"(-a {recorded.value} restores it)"
        )
    else:
        yield f"its approval policy stays {recorded.value} (-a changes it)"


def _bounded_sandbox(kept: dict[str, Any], config: Config) -> Iterator[str]:
    recorded: SandboxPolicy | None = kept.get("sandbox_policy")
    if recorded is None:
        return
    mode, current = recorded.mode, config.sandbox_policy.mode
    if mode == current:
        # The configured directories and network access apply: they may be narrower.
        del kept["sandbox_policy"]
    elif _width(recorded) > _width(config.sandbox_policy):
        del kept["sandbox_policy"]
        yield f"its sandbox was {mode}, and is {current} now, as configured (-s {mode} restores it)"
    else:
        yield f"its sandbox stays {mode} (-s changes it)"


def _width(policy: SandboxPolicy) -> int:
    match policy:
        case ReadOnly():
            return 0
        case DangerFullAccess():
            return 2
        case _:
            return 1
