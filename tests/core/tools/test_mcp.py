"""Calls of an MCP server's tools."""

from dataclasses import replace
from typing import Any, cast

import anyio
import mcp_types
import pytest

from code_core.mcp_servers.connections import ServerTool
from code_core.mcp_servers.time_limit import TimeLimit
from code_core.protocol.items import FunctionCall
from code_core.tools.mcp import McpServerTool
from code_core.tools.tool import ToolContext


@pytest.mark.parametrize(
    ("read_only", "steps"), [(True, ["called"]), (False, ["kept", "called"]), (None, ["kept", "called"])]
)
def test_files_are_kept_for_undo_before_a_tool_that_may_write_them(
    read_only: bool | None, steps: list[str], tool_context: ToolContext
) -> None:
    done: list[str] = []

    class Server:
        name = "s"
        limit = TimeLimit(60)

        async def call_tool(self, *_: Any, **__: Any) -> mcp_types.CallToolResult:
            done.append("called")
            return mcp_types.CallToolResult(content=[])

    async def keep() -> None:
        done.append("kept")

    hints = None if read_only is None else mcp_types.ToolAnnotations(read_only_hint=read_only)
    definition = mcp_types.Tool(name="t", input_schema={}, annotations=hints)
    tool = McpServerTool("s__t", ServerTool(definition, cast("Any", Server())))
    call = FunctionCall(name="s__t", arguments="{}", call_id="1")
    anyio.run(tool.call, call, replace(tool_context, before_command=keep))
    assert done == steps
