"""The settings of turns, and how ops change them."""

from pathlib import Path
from typing import Any

import pytest

from code_core.config.load import Config
from code_core.model.capabilities import capabilities
from code_core.protocol.ops import OverrideTurnContext, UpdateValidationGroup, UpdateValidationTool
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    ReadOnly,
    ReasoningEffort,
    ReasoningSummary,
)
from code_core.session.settings import TurnSettings
from core.session.scripted import scripted_config


def test_a_conversation_begins_with_the_configured_settings(tmp_path: Path) -> None:
    config = scripted_config(
        tmp_path,
        model="gpt-5",
        approval_policy=AskForApproval.NEVER,
        settings=(("validation.groups.stylistic", True), ("model_reasoning_effort", "high")),
    )
    settings = TurnSettings.of(config)
    assert settings == TurnSettings(
        cwd=config.cwd,
        approval_policy=AskForApproval.NEVER,
        sandbox_policy=config.sandbox_policy,
        model="gpt-5",
        preferences=config.preferences,
        wire=config.provider.wire_api,
        validation=config.validation,
    )
    assert settings.capabilities == capabilities(config.preferences, "gpt-5", config.provider.wire_api)
    assert settings.capabilities.settings.effort is ReasoningEffort.HIGH


def test_on_the_chat_wire_a_model_has_the_capabilities_of_that_wire(config: Config) -> None:
    settings = TurnSettings("/", AskForApproval.NEVER, ReadOnly(), "gpt-5", config.preferences, "chat")  # type: ignore[arg-type] # not read
    assert settings.capabilities == capabilities(config.preferences, "gpt-5", "chat")


@pytest.mark.parametrize(
    ("changed", "to"),
    [
        ("approval_policy", AskForApproval.UNTRUSTED),
        ("sandbox_policy", ReadOnly()),
        ("model", "gpt-4.1"),
        ("cwd", Path("/elsewhere")),
    ],
)
def test_fields_absent_from_an_op_are_not_changed(config: Config, changed: str, to: Any) -> None:
    before = TurnSettings.of(config)
    after = before.overridden(OverrideTurnContext(**{changed: to}))
    assert getattr(after, changed) == to
    for name in ("cwd", "approval_policy", "sandbox_policy", "model", "preferences", "wire", "validation"):
        assert name == changed or getattr(after, name) == getattr(before, name)


def test_plan_mode_makes_the_sandbox_read_only(config: Config) -> None:
    settings = TurnSettings.of(config)
    planning = settings.overridden(OverrideTurnContext(collaboration_mode=CollaborationMode.PLAN))
    assert (settings.is_planning, planning.is_planning) == (False, True)
    assert settings.sandbox_in_force == planning.sandbox_policy == config.sandbox_policy != ReadOnly()
    assert planning.sandbox_in_force == ReadOnly()
    assert planning.overridden(OverrideTurnContext(model="m")).is_planning


def test_a_relative_directory_is_resolved_against_the_current_one(config: Config) -> None:
    settings = TurnSettings.of(config).overridden(OverrideTurnContext(cwd=Path("sub")))
    assert settings.cwd == config.cwd / "sub"


def test_an_effort_of_null_is_the_models_own(config: Config) -> None:
    settings = TurnSettings.of(config)
    high = settings.overridden(OverrideTurnContext(effort=ReasoningEffort.HIGH))
    assert high.preferences.effort is ReasoningEffort.HIGH
    assert high.overridden(OverrideTurnContext(model="m")).preferences.effort is ReasoningEffort.HIGH
    assert high.overridden(OverrideTurnContext(effort=None)).preferences.effort is None


def test_an_absent_summary_is_not_changed(config: Config) -> None:
    detailed = TurnSettings.of(config).overridden(OverrideTurnContext(summary=ReasoningSummary.DETAILED))
    assert detailed.preferences.summary is ReasoningSummary.DETAILED
    assert (
        detailed.overridden(OverrideTurnContext(model="m")).preferences.summary is ReasoningSummary.DETAILED
    )


def test_a_server_reports_the_window_of_its_model(config: Config) -> None:
    settings = TurnSettings.of(config)
    assert settings.with_served_window(settings.model, None) is settings
    assert settings.with_served_window("other", 4_096).capabilities == settings.capabilities
    served = settings.with_served_window("local", 4_096).overridden(OverrideTurnContext(model="local"))
    assert served.capabilities.context_window == 4_096


@pytest.mark.parametrize("on", [True, False])
def test_checks_are_turned_on_and_off_one_by_one_or_in_groups(config: Config, on: bool) -> None:
    settings = TurnSettings.of(config)
    one = settings.switched(UpdateValidationTool(name="shellcheck", enable=on)).validation
    assert one.tools == {"shellcheck": on}
    assert one.groups == settings.validation.groups
    many = settings.switched(UpdateValidationGroup(group="stylistic", enable=on)).validation
    assert many.groups["stylistic"] is on
    assert many.tools == settings.validation.tools
