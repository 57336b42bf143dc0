"""Which checks are on."""

from collections.abc import Mapping
from dataclasses import field, replace

from code_core.frozen import frozen
from code_core.protocol.validation import ValidationGroup, ValidationTool


@frozen
class ValidationSwitches:
    """The groups and tools that are on or off; a setting for a tool wins over its group.

    Attributes:
        allowed: the only tools there are; all when None.
        seconds: the time limit of a tool without one of its own.
    """

    groups: Mapping[ValidationGroup, bool] = field(default_factory=dict)
    tools: Mapping[ValidationTool, bool] = field(default_factory=dict)
    allowed: frozenset[ValidationTool] | None = None
    seconds: float = 6.0

    def on(self, tool: ValidationTool, group: ValidationGroup) -> bool:
        """Whether a tool of a group runs: the functional ones do by default."""
        if self.allowed is not None and tool not in self.allowed:
            return False
        return self.tools.get(tool, self.groups.get(group, group == "functional"))

    def with_tool(self, tool: ValidationTool, *, on: bool) -> "ValidationSwitches":
        """These switches with one tool on or off."""
        return replace(self, tools={**self.tools, tool: on})

    def with_group(self, group: ValidationGroup, *, on: bool) -> "ValidationSwitches":
        """These switches with a group on or off."""
        return replace(self, groups={**self.groups, group: on})


DEFAULT_SWITCHES = ValidationSwitches()
