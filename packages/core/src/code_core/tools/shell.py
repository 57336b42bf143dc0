"""`shell`: runs one command and returns its output."""

from typing import TYPE_CHECKING

import anyio.to_thread

from code_core.config.guards import NO_GUARDS, CommandGuards
from code_core.protocol.items import ToolCall
from code_core.tools.apply_patch import ApplyPatch
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec

if TYPE_CHECKING:
    from code_core.tools.shell_commands import ShellCommands

DEFAULT_TIMEOUT_MS = 60_000


class Shell:
    """Runs commands in the turn's directory, after approval if the policy requires it."""

    name = "shell"
    parallel_safe = False

    def __init__(self, apply_patch: ApplyPatch, guards: CommandGuards = NO_GUARDS) -> None:
        self._apply_patch = apply_patch
        self._guards = guards
        self._commands: ShellCommands | None = None

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return FunctionSpec(
            self.name,
            (
                "Run a command and return its output. `command` is passed to execvp: for a pipeline or "
                'other shell syntax use ["bash", "-lc", "…"]. Set `workdir` rather than using cd.'
            ),
            {
                "type": "object",
                "properties": {
                    "command": {"type": "array", "items": {"type": "string"}},
                    "workdir": {"type": "string"},
                    "timeout_ms": {
                        "type": "number",
                        "description": f"{DEFAULT_TIMEOUT_MS} if absent.",
                    },
                    "with_escalated_permissions": {
                        "type": "boolean",
                        "description": "Ask to run it outside the sandbox.",
                    },
                    "justification": {"type": "string"},
                },
                "required": ["command"],
            },
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        return await (await self.commands()).call(call, context)

    async def commands(self) -> "ShellCommands":
        """Return the command runner, which other tools share."""
        if self._commands is None:
            self._commands = await anyio.to_thread.run_sync(self._first)
        return self._commands

    def _first(self) -> "ShellCommands":
        """The command runner, imported on first use, because many turns run no commands."""
        from code_core.tools.shell_commands import ShellCommands

        return ShellCommands(self._apply_patch, self._guards, DEFAULT_TIMEOUT_MS)
