"""A tool of an MCP server, presented as one of the conversation's tools."""

import json
import math
import time
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from code_core.mcp_servers.connections import ServerTool
from code_core.mcp_servers.results import parts_of
from code_core.mcp_servers.schemas import parameters
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.protocol.mcp_events import McpInvocation, McpToolCallProgress
from code_core.safety.decide import Ask, Reject, decide_server_tool
from code_core.safety.grants import ToolGrant
from code_core.tools.approver import ToolQuestion
from code_core.tools.mcp_call import reported, shortened
from code_core.tools.tool import ToolContext, ToolOutput, refusal
from code_core.wire.tool_specs import FunctionSpec

if TYPE_CHECKING:
    import mcp_types

LONGEST_DESCRIPTION = 8_000
PROGRESS_SECONDS = 0.1
"""Minimum time between progress events, however often the server reports progress."""
LONGEST_PROGRESS = 1_000


class McpServerTool:
    """Calls the server; a failure becomes an output for the model, as `err: …`.

    Args:
        name: the model's name for the tool.
        tool: the server's tool.
    """

    def __init__(self, name: str, tool: ServerTool) -> None:
        self.name = name
        self._tool = tool
        hints = tool.definition.annotations
        self.parallel_safe = hints is not None and hints.read_only_hint is True
        self._spec = _spec(name, tool.definition)

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        return self._spec

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        arguments = _arguments(call)
        if arguments is None:
            return ToolOutput("failed to parse function arguments: not a JSON object", success=False)
        invocation = McpInvocation(
            server=self._tool.server, tool=self._tool.definition.name, arguments=arguments
        )
        if (refused := await self._refusal(call.call_id, invocation, context)) is not None:
            return refused
        if not self.parallel_safe:
            await context.before_command()  # the server may write files too
        return await reported(
            invocation, call.call_id, context, lambda: self._run(arguments, call.call_id, context)
        )

    async def _refusal(
        self, call_id: str, invocation: McpInvocation, context: ToolContext
    ) -> ToolOutput | None:
        """Return the answer to the model if the tool may not be called, otherwise None."""
        arguments = json.dumps(invocation.arguments, sort_keys=True, ensure_ascii=False)
        grant = ToolGrant(invocation.server, invocation.tool, arguments)
        approved = context.approver.approved(grant)
        decision = decide_server_tool(
            context.approval_policy,
            read_only=self.parallel_safe,
            approved=approved,
            planning=context.planning,
        )
        match decision:
            case Ask(reason=reason):
                question = ToolQuestion(call_id, invocation, context.cwd, reason, grant)
                return refusal("tool call", await context.approver.ask(question))
            case Reject(reason=reason):
                return ToolOutput(f"tool call rejected: {reason}", success=False)
            case _:
                return None

    async def _run(self, arguments: dict[str, Any], call_id: str, context: ToolContext) -> ToolOutput:
        name = self._tool.definition.name
        shown = -math.inf

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= PROGRESS_SECONDS and math.isfinite(progress):  # JSON has no infinity
                shown = now
                total = total if total is not None and math.isfinite(total) else None
                text = None if message is None else message[:LONGEST_PROGRESS]
                step = McpToolCallProgress(call_id=call_id, progress=progress, total=total, message=text)
                await context.emit(step)

        with self._tool.limit.call(name):
            result = await self._tool.host.call_tool(name, arguments, on_progress)
        # In a thread, because a long result takes long, and is saved in a file.
        return await anyio.to_thread.run_sync(_output, result, call_id, context)


def _output(result: "mcp_types.CallToolResult", call_id: str, context: ToolContext) -> ToolOutput:
    parts = parts_of(result)
    text = f"err: {parts.text or 'the tool failed and gave no reason'}" if result.is_error else parts.text
    return ToolOutput(shortened(text, call_id, context), success=not result.is_error, images=parts.images)


def _spec(name: str, definition: "mcp_types.Tool") -> FunctionSpec:
    description = (definition.description or definition.title or "")[:LONGEST_DESCRIPTION]
    return FunctionSpec(name, description, parameters(definition.input_schema))


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    """The call's arguments, or None unless they are an object valid in JSON (no NaN, no surrogates)."""
    if not isinstance(call, FunctionCall):
        return None
    try:
        arguments = json.loads(call.arguments or "{}")
        json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None
