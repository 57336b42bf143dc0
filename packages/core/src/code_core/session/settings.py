"""The settings for a conversation's turns; ops may change them between turns."""

from dataclasses import replace
from pathlib import Path

from code_core.config.load import Config
from code_core.frozen import frozen
from code_core.model.capabilities import ModelCapabilities, ModelPreferences, capabilities
from code_core.protocol.ops import OverrideTurnContext, UpdateValidationGroup, UpdateValidationTool
from code_core.protocol.policies import (
    AskForApproval,
    CollaborationMode,
    ReadOnly,
    SandboxPolicy,
    WireApi,
)
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches


@frozen
class TurnSettings:
    """The settings for the next turn."""

    cwd: Path
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    model: str
    preferences: ModelPreferences
    wire: WireApi = "responses"
    validation: ValidationSwitches = DEFAULT_SWITCHES
    collaboration_mode: CollaborationMode = CollaborationMode.DEFAULT

    @classmethod
    def of(cls, config: Config) -> "TurnSettings":
        """Return the initial settings of a conversation."""
        return cls(
            config.cwd,
            config.approval_policy,
            config.sandbox_policy,
            config.model,
            config.preferences,
            config.provider.wire_api,
            config.validation,
            config.collaboration_mode,
        )

    @property
    def is_planning(self) -> bool:
        """Whether plan mode is on, so nothing may change until the user accepts a plan."""
        return self.collaboration_mode is CollaborationMode.PLAN

    @property
    def sandbox_in_force(self) -> SandboxPolicy:
        """The sandbox policy in effect; read-only in plan mode."""
        return ReadOnly() if self.is_planning else self.sandbox_policy

    @property
    def capabilities(self) -> ModelCapabilities:
        """The capabilities of the current model."""
        return capabilities(self.preferences, self.model, self.wire)

    def with_served_window(self, model: str, window: int | None) -> "TurnSettings":
        """Return these settings with the context window that the server reports for `model`, if any."""
        if window is None:
            return self
        return replace(self, preferences=self.preferences.with_served_window(model, window))

    def overridden(self, op: OverrideTurnContext) -> "TurnSettings":
        """Return these settings updated from `op`; absent fields are kept, and an `effort` of null clears it."""
        preferences = self.preferences
        if "effort" in op.model_fields_set:
            preferences = replace(preferences, effort=op.effort)
        if op.summary is not None:
            preferences = replace(preferences, summary=op.summary)
        return replace(
            self,
            cwd=self.cwd if op.cwd is None else self.cwd / op.cwd,
            approval_policy=op.approval_policy or self.approval_policy,
            sandbox_policy=op.sandbox_policy or self.sandbox_policy,
            model=op.model or self.model,
            preferences=preferences,
            collaboration_mode=op.collaboration_mode or self.collaboration_mode,
        )

    def switched(self, op: UpdateValidationTool | UpdateValidationGroup) -> "TurnSettings":
        """Return these settings with checks switched on or off as `op` requests."""
        match op:
            case UpdateValidationTool(name=name, enable=on):
                return replace(self, validation=self.validation.with_tool(name, on=on))
            case UpdateValidationGroup(group=group, enable=on):
                return replace(self, validation=self.validation.with_group(group, on=on))
