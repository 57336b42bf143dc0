"""The tools of a conversation, by name."""

import logging
import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from code_core.protocol.events import EventMsg, ToolCallFailed
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellCall, ToolCall
from code_core.tools.tool import Emit, Tool, ToolContext, ToolOutput, TurnAbandoned
from code_core.wire.tool_specs import ToolSpec

if TYPE_CHECKING:
    from code_core.tools.tool_search import ToolSearch

_log = logging.getLogger("code_core")

LONGEST_REPORT = 2_000
"""Characters of a failed call, and of its answer, shown to the user."""

_ALIASES = {"container.exec": "shell", "applypatch": "apply_patch"}


FindTool = Callable[[str], Tool | None]


def no_tool(_name: str) -> Tool | None:
    """Find no tool."""
    return None


class ToolRegistry:
    """Finds the tool for a call; unknown tools and failures become outputs, not exceptions.

    Args:
        tools: the tools offered to the model.
        search: finds further tools.
        undeclared: finds tools that are not offered, for models that know them anyway.
    """

    def __init__(
        self, tools: Iterable[Tool], search: "ToolSearch | None" = None, undeclared: FindTool = no_tool
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._search = search
        self._undeclared = undeclared

    def with_tools(self, tools: Iterable[Tool]) -> "ToolRegistry":
        """Return this registry with further tools appended."""
        return ToolRegistry([*self._tools.values(), *tools], undeclared=self._undeclared)

    def with_search(self, search: "ToolSearch") -> "ToolRegistry":
        """Return this registry with the tools that `search` finds appended."""
        return ToolRegistry([*self._tools.values(), search], search, self._undeclared)

    def only(self, *names: str) -> "ToolRegistry":
        """Return a registry with only the tools in `names`."""
        return ToolRegistry(tool for name, tool in self._tools.items() if name in names)

    def specs(self) -> tuple[ToolSpec, ...]:
        """Return the declarations for the model in a stable order, with searched tools last."""
        found = self._search.declared if self._search is not None else []
        return tuple(tool.spec() for tool in (*self._tools.values(), *found))

    def parallel_safe(self, call: ToolCall) -> bool:
        """Whether `call` may run alongside others."""
        tool = self._find(call)
        return tool is None or tool.parallel_safe

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """Return the output of `call`. A failure before anything began is reported to the user as an event.

        Raises:
            TurnAbandoned: the user chose to stop the turn.
        """
        watch = _BeginWatch(context.emit)
        output = await self._output(call, replace(context, emit=watch))
        if not (output.success or watch.begun or output.reported):
            failed = ToolCallFailed(
                call_id=call.call_id,
                tool=name_of(call),
                call=_asked_for(call)[:LONGEST_REPORT],
                message=output.text[:LONGEST_REPORT],
            )
            await context.emit(failed)
        return output

    async def _output(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        tool = self._find(call)
        if tool is None:
            return ToolOutput(f"unsupported call: {name_of(call)}", success=False)
        try:
            return await tool.call(call, context)
        except TurnAbandoned:
            raise
        except Exception as error:  # noqa: BLE001 - one bad call must not end the turn
            _log.exception("tool %s failed", tool.name)
            return ToolOutput(f"{tool.name} failed: {type(error).__name__}: {error}"[:2000], success=False)

    def _find(self, call: ToolCall) -> Tool | None:
        name = name_of(call)
        name = _ALIASES.get(name, name)
        if (tool := self._tools.get(name)) is None and self._search is not None:
            tool = self._search.find(name)
        return self._undeclared(name) if tool is None else tool


class _BeginWatch:
    """Passes events on and records whether one of them was a begin event."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self.begun = False

    async def __call__(self, msg: EventMsg) -> None:
        self.begun = self.begun or msg.type.endswith("_begin")
        await self._emit(msg)


def _asked_for(call: ToolCall) -> str:
    match call:
        case FunctionCall(arguments=text) | CustomToolCall(input=text):
            return text
        case LocalShellCall(action=action):
            return shlex.join(action.command)


def name_of(call: ToolCall) -> str:
    """Return the name of the tool that `call` requests."""
    match call:
        case FunctionCall(name=name) | CustomToolCall(name=name):
            return name
        case LocalShellCall():
            return "shell"
