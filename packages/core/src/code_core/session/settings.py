"""The settings of a conversation's turns, which an op may change between them."""

from dataclasses import dataclass, replace
from pathlib import Path

from code_core.config.load import Config
from code_core.model.catalog import family_of
from code_core.protocol.ops import OverrideTurnContext, UpdateValidationGroup, UpdateValidationTool
from code_core.protocol.policies import AskForApproval, SandboxPolicy
from code_core.validation.switches import DEFAULT_SWITCHES, ValidationSwitches
from code_core.wire.prompt import ModelSettings


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """What the next turn works with."""

    cwd: Path
    approval_policy: AskForApproval
    sandbox_policy: SandboxPolicy
    model: ModelSettings
    validation: ValidationSwitches = DEFAULT_SWITCHES

    @classmethod
    def of(cls, config: Config) -> "TurnSettings":
        """The settings a conversation begins with."""
        return cls(config.cwd, config.approval_policy, config.sandbox_policy, config.model, config.validation)

    def overridden(self, op: OverrideTurnContext) -> "TurnSettings":
        """These settings with what `op` gives; an absent field stays, an `effort` of null goes."""
        model = self.model
        if op.model is not None:
            model = replace(model, model=op.model, reasoning=family_of(op.model).reasoning)
        if "effort" in op.model_fields_set:
            model = replace(model, effort=op.effort)
        if op.summary is not None:
            model = replace(model, summary=op.summary)
        return replace(
            self,
            cwd=self.cwd if op.cwd is None else self.cwd / op.cwd,
            approval_policy=op.approval_policy or self.approval_policy,
            sandbox_policy=op.sandbox_policy or self.sandbox_policy,
            model=model,
        )

    def switched(self, op: UpdateValidationTool | UpdateValidationGroup) -> "TurnSettings":
        """These settings with checks on or off as `op` says."""
        match op:
            case UpdateValidationTool(name=name, enable=on):
                return replace(self, validation=self.validation.with_tool(name, on=on))
            case UpdateValidationGroup(group=group, enable=on):
                return replace(self, validation=self.validation.with_group(group, on=on))
