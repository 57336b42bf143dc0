"""Which recorded settings a resumed session goes on with: never more freedom than the current ones give."""

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

# What was given for this run wins over what was recorded, however it was spelled.
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
    """What of `recorded` holds over `config`, and what the user should know about the rest.

    Args:
        recorded: the settings of the session's last turn.
        given: the keys that were given for this run.
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
            f"it began with the provider {provider!r}, and goes on with {config.model} of {config.provider.id!r}"
        )
    notes += _bounded_approvals(kept, config)
    notes += _bounded_sandbox(kept, config)
    if kept.get("collaboration_mode") is CollaborationMode.PLAN:
        notes.append("it is still in plan mode")
    else:
        kept.pop("collaboration_mode", None)  # a configured plan mode holds: it is the narrower one
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
        # The configured directories and network access hold: they may be narrower.
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
