"""Wraps a request to MCP servers as a tool call: its events, failures and output limit."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from code_core.process.capture import Capture
from code_core.protocol.duration import Duration
from code_core.protocol.mcp_events import McpInvocation, McpToolCallBegin, McpToolCallEnd
from code_core.tools.tool import ToolContext, ToolOutput
from code_mcp_client import McpClientError


async def reported(
    invocation: McpInvocation, call_id: str, context: ToolContext, run: Callable[[], Awaitable[ToolOutput]]
) -> ToolOutput:
    """Return the output of `run`, between begin and end events; a server failure becomes `err: …` for the model."""
    await context.emit(McpToolCallBegin(call_id=call_id, invocation=invocation))
    started = time.perf_counter()

    async def end(result: dict[Any, Any]) -> None:
        duration = Duration.of(time.perf_counter() - started)
        await context.emit(
            McpToolCallEnd(call_id=call_id, invocation=invocation, duration=duration, result=result)
        )

    try:
        output = await run()
    except (McpClientError, OSError) as error:
        output = ToolOutput(f"err: {error}", success=False)
        await end({"Err": str(error)})
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True):
            await end({"Err": "interrupted"})
        raise
    else:
        content = [{"type": "text", "text": output.text}]
        content += [{"type": "image", "data": "", "mimeType": _kind(url)} for url in output.images]
        await end({"Ok": {"content": content, "isError": not output.success}})
    return output


def shortened(text: str, call_id: str, context: ToolContext) -> str:
    """Return `text` cut in the middle to the model's limit; the full text of a long one is saved in a file."""
    capture = Capture(context.output_limit, context.output_file(call_id))
    capture.write(text.encode("utf-8", "replace"))
    capture.close()
    return capture.text()


def _kind(url: str) -> str:
    return url.removeprefix("data:").partition(";")[0]
