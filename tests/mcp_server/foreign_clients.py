"""Clients that nobody here wrote call `codex`: `foreign_clients.py NAME elicit|none COMMAND…` prints the answer.

Run with a Python that has the client: fastmcp, openai-agents (`agents`) or pydantic-ai.
"""

import asyncio
import sys
from typing import Any

ARGUMENTS = {"prompt": "go", "approval-policy": "untrusted", "sandbox": "danger-full-access"}
NAME, ELICIT, COMMAND = sys.argv[1], sys.argv[2] == "elicit", sys.argv[3:]
APPROVED = {"decision": "approved"}


async def fastmcp() -> Any:
    from fastmcp import Client
    from fastmcp.client.elicitation import ElicitResult
    from fastmcp.client.transports import StdioTransport

    async def elicit(message: str, kind: Any, params: Any, context: Any) -> Any:
        del message, kind, params, context
        return ElicitResult(action="accept", content=APPROVED)

    more: dict[str, Any] = {"elicitation_handler": elicit} if ELICIT else {}
    async with Client(StdioTransport(COMMAND[0], COMMAND[1:]), **more) as client:
        return (await client.call_tool("codex", ARGUMENTS)).structured_content


async def agents() -> Any:
    from agents.mcp import MCPServerStdio

    params = {"command": COMMAND[0], "args": COMMAND[1:]}
    async with MCPServerStdio(params=params, client_session_timeout_seconds=60) as server:
        assert {tool.name for tool in await server.list_tools()} >= {"codex", "codex-reply"}
        return dump(await server.call_tool("codex", ARGUMENTS))


async def pydantic_ai() -> Any:
    from mcp.types import ElicitResult
    from pydantic_ai.mcp import MCPServerStdio

    async def elicit(context: Any, params: Any) -> Any:
        del context, params
        return ElicitResult(action="accept", content=APPROVED)

    more: dict[str, Any] = {"elicitation_callback": elicit} if ELICIT else {}
    async with MCPServerStdio(COMMAND[0], COMMAND[1:], timeout=30, **more) as server:
        return await server.direct_call_tool("codex", ARGUMENTS)


def dump(result: Any) -> Any:
    return getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)


if __name__ == "__main__":
    answer = asyncio.run({"fastmcp": fastmcp, "agents": agents, "pydantic_ai": pydantic_ai}[NAME]())
    print(answer)
