"""Answers frontends' questions about MCP servers: their tools, resources and prompts."""

import math
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from code_core.protocol.events import EventMsg
from code_core.protocol.mcp_events import (
    McpGetPromptResponse,
    McpListPromptsResponse,
    McpListResourcesResponse,
    McpListToolsResponse,
    McpTool,
)
from code_core.protocol.ops import GetMcpPrompt, ListMcpPrompts, ListMcpResources, McpQuery

if TYPE_CHECKING:
    from code_core.mcp_servers.connections import McpServers


LONGEST_TOOL = 256 * 1024
"""Bytes of one tool's schema and description in a list; a longer schema becomes one that accepts any object."""
LONGEST_LIST = 4 * 2**20
"""Bytes of the whole list; beyond it, every further tool is shortened."""
LONGEST_DESCRIPTION = 1_000


async def answer(query: McpQuery, servers: "McpServers | None") -> EventMsg:
    """Return the answer to a query, empty for a conversation without servers."""
    match query:
        case ListMcpResources():
            return await _resources(servers)
        case ListMcpPrompts():
            return await _prompts(servers)
        case GetMcpPrompt():
            return await _prompt(query, servers)
        case _:
            return _tools(servers)


def _tools(servers: "McpServers | None") -> McpListToolsResponse:
    listed: dict[str, McpTool] = {}
    size = 0
    for name, tool in (servers.tools if servers is not None else {}).items():
        schema: dict[str, Any] = tool.definition.input_schema
        description = tool.definition.description
        length = len(to_json(schema)) + len(description or "")
        if length > LONGEST_TOOL or size + length > LONGEST_LIST:  # a larger event would be lost
            schema, description = {"type": "object"}, description and description[:LONGEST_DESCRIPTION]
            length = LONGEST_DESCRIPTION
        size += length
        listed[name] = McpTool(
            server=tool.server, name=tool.definition.name, description=description, input_schema=schema
        )
    return McpListToolsResponse(tools=listed)


async def _resources(servers: "McpServers | None") -> McpListResourcesResponse:
    if servers is None:
        return McpListResourcesResponse(resources=[], templates=[])
    from code_core.mcp_servers import offers

    resources, templates = await offers.resources(servers.all), await offers.templates(servers.all)
    return McpListResourcesResponse(
        resources=resources.listed, templates=templates.listed, errors=resources.errors | templates.errors
    )


async def _prompts(servers: "McpServers | None") -> McpListPromptsResponse:
    if servers is None:
        return McpListPromptsResponse(prompts=[])
    from code_core.mcp_servers import offers

    found = await offers.prompts(servers.all)
    return McpListPromptsResponse(prompts=found.listed, errors=found.errors)


async def _prompt(query: GetMcpPrompt, servers: "McpServers | None") -> McpGetPromptResponse:
    response = McpGetPromptResponse(server=query.server, name=query.name)
    server = servers.server(query.server) if servers is not None else None
    if server is None:
        return response.model_copy(update={"error": f"MCP server {query.server!r} not found"})
    from code_core.mcp_servers.contents import items_of
    from code_mcp_client import McpClientError

    try:
        with server.limit.call("prompts/get"):
            result = await server.client().get_prompt(query.name, query.arguments, timeout=math.inf)
    except McpClientError as error:
        return response.model_copy(update={"error": str(error)})
    if not (items := items_of(result)):
        return response.model_copy(update={"error": "the prompt is empty"})
    return response.model_copy(update={"items": items})
