"""Independent clients call `codex`: `foreign_clients.py NAME elicit|none COMMAND…` prints the answer.

Run with a Python that has the client: fastmcp, openai-agents (`agents`) or pydantic-ai.
"""

import asyncio
import sys
from importlib import import_module
from typing import Any

ARGUMENTS = {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"}
NAME, ELICIT, COMMAND = sys.argv[1], sys.argv[2] == "elicit", sys.argv[3:]
APPROVED = {"decision": "approved"}


async def fastmcp() -> Any:
    client_class = import_module("fastmcp").Client
    elicitation, transports = map(import_module, ("fastmcp.client.elicitation", "fastmcp.client.transports"))

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> Any:
        del message, kind, params, context
        return elicitation.ElicitResult(action="accept", content=APPROVED)

    more: dict[str, Any] = {"elicitation_handler": elicit} if ELICIT else {}
    async with client_class(transports.StdioTransport(COMMAND[0], COMMAND[1:]), **more) as client:
        return (await client.call_tool("codex", ARGUMENTS)).structured_content


async def agents() -> Any:
    params = {"command": COMMAND[0], "args": COMMAND[1:]}
    async with import_module("agents.mcp").MCPServerStdio(
        params=params, client_session_timeout_seconds=60
    ) as server:
        assert {tool.name for tool in await server.list_tools()} >= {"codex", "codex-reply"}
        return dump(await server.call_tool("codex", ARGUMENTS))


async def pydantic_ai() -> Any:
    elicitation, transports = map(import_module, ("fastmcp.client.elicitation", "fastmcp.client.transports"))
    toolset = import_module("pydantic_ai.mcp").MCPToolset

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> Any:
        del message, kind, params, context
        return elicitation.ElicitResult(action="accept", content=APPROVED)

    more: dict[str, Any] = {"elicitation_handler": elicit} if ELICIT else {}
    async with toolset(transports.StdioTransport(COMMAND[0], COMMAND[1:]), **more) as tools:
        return await tools.direct_call_tool("codex", ARGUMENTS)


def dump(result: Any) -> Any:
    return getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)


if __name__ == "__main__":
    answer = asyncio.run({"fastmcp": fastmcp, "agents": agents, "pydantic_ai": pydantic_ai}[NAME]())
    sys.stdout.write(f"{answer}\n")
