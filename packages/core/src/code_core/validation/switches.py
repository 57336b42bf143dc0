"""Which checks are enabled."""

from collections.abc import Mapping
from dataclasses import field, replace

from code_core.frozen import frozen
from code_core.protocol.validation import ValidationGroup, ValidationTool


@frozen
class ValidationSwitches:
    """Switches for groups of checks and single tools; a tool's switch overrides its group's.

    Attributes:
        allowed: the only tools that may run; all if None.
        seconds: the time limit for tools without their own.
    """

    groups: Mapping[ValidationGroup, bool] = field(default_factory=dict)
    tools: Mapping[ValidationTool, bool] = field(default_factory=dict)
    allowed: frozenset[ValidationTool] | None = None
    seconds: float = 6.0

    def on(self, tool: ValidationTool, group: ValidationGroup) -> bool:
        """Return whether a tool runs; by default, those in the functional group do."""
        if self.allowed is not None and tool not in self.allowed:
            return False
        return self.tools.get(tool, self.groups.get(group, group == "functional"))

    def with_tool(self, tool: ValidationTool, *, on: bool) -> "ValidationSwitches":
        """Return these switches with one tool on or off."""
        return replace(self, tools={**self.tools, tool: on})

    def with_group(self, group: ValidationGroup, *, on: bool) -> "ValidationSwitches":
        """Return these switches with a group on or off."""
        return replace(self, groups={**self.groups, group: on})


DEFAULT_SWITCHES = ValidationSwitches()
