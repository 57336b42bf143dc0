"""`exec_command` and `write_stdin`: commands that may outlive a call and accept input."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from code_core.protocol.items import ToolCall
from code_core.tools.shell import Shell
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec

if TYPE_CHECKING:
    from code_core.tools.exec_commands import ExecCommands

_NUMBER = {"type": "number"}


class _Lazy:
    """Imports the implementation on the first call."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._commands: ExecCommands | None = None

    async def get(self) -> "ExecCommands":
        if self._commands is None:
            commands = await self._shell.commands()
            exec_commands = await anyio.to_thread.run_sync(_imported)
            self._commands = exec_commands(commands)
        return self._commands


def _imported() -> "type[ExecCommands]":
    from code_core.tools.exec_commands import ExecCommands

    return ExecCommands


class ExecCommand:
    """Runs a script with the same permissions as `shell`; a long-running one continues as a session."""

    name = "exec_command"
    parallel_safe = False

    def __init__(self, shell: Shell) -> None:
        self.lazy = _Lazy(shell)

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return _spec(
            self.name,
            "Run a bash script that may keep running (server, REPL): returns a session ID if it still runs after `yield_time_ms`.",
            {
                "cmd": {"type": "string"},
                "workdir": {"type": "string"},
                "tty": {"type": "boolean", "description": "Needed to type into it."},
                "yield_time_ms": _NUMBER,
                "max_output_tokens": _NUMBER,
                "with_escalated_permissions": {"type": "boolean"},
                "justification": {"type": "string"},
            },
            "cmd",
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        return await (await self.lazy.get()).execute(call, context)


class WriteStdin:
    """Types into a running session and reads its new output."""

    name = "write_stdin"
    parallel_safe = False

    def __init__(self, exec_command: ExecCommand) -> None:
        self._lazy = exec_command.lazy

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return _spec(
            self.name,
            r"Type into a session (\u0003 is ^C) and return its new output; without `chars`, wait for output.",
            {
                "session_id": _NUMBER,
                "chars": {"type": "string"},
                "yield_time_ms": _NUMBER,
                "max_output_tokens": _NUMBER,
            },
            "session_id",
        )

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        return await (await self._lazy.get()).write(call, context)


def _spec(name: str, description: str, properties: Mapping[str, Any], required: str) -> FunctionSpec:
    schema = {"type": "object", "properties": properties, "required": [required]}
    return FunctionSpec(name, description, schema)
