"""`list_mcp_resources`, `list_mcp_resource_templates` and `read_mcp_resource`.

Names, arguments and results match Codex, except that binary data is kept out of the text.
"""

import json
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from pydantic import BaseModel, ConfigDict

from code_core.mcp_servers import offers
from code_core.mcp_servers.connections import McpServers
from code_core.mcp_servers.contents import contents_of
from code_core.mcp_servers.server import Server
from code_core.protocol.items import FunctionCall, ToolCall
from code_core.protocol.mcp_events import McpInvocation, McpResource
from code_core.tools.arguments import BadArguments, parse_arguments
from code_core.tools.mcp_call import reported, shortened
from code_core.tools.tool import Tool, ToolContext, ToolOutput
from code_core.wire.tool_specs import FunctionSpec
from code_mcp_client import McpClientError

if TYPE_CHECKING:
    from mcp_types import ReadResourceResult

EVERY_SERVER = "all"
"""The server name in events for a call that asks all servers."""


class _ListArguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    server: str | None = None
    cursor: str | None = None


class _ReadArguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    server: str
    uri: str


def resource_tools(servers: McpServers) -> list[Tool]:
    """Return the three tools, or an empty list if no server offers resources."""
    if not any("resources" in server.offers for server in servers.all):
        return []
    return [
        _ListTool(
            "list_mcp_resources",
            "List the resources of MCP servers, such as files, schemas or tickets, with their URIs.",
            "resources",
            servers,
            offers.resources,
            offers.resource_page,
        ),
        _ListTool(
            "list_mcp_resource_templates",
            "List the URI templates of MCP servers. Fill in the parameters of a template to get a resource's URI.",
            "resourceTemplates",
            servers,
            offers.templates,
            offers.template_page,
        ),
        _ReadTool(servers),
    ]


class _ListTool:
    parallel_safe = True

    def __init__(
        self,
        name: str,
        description: str,
        key: str,
        servers: McpServers,
        all_of: Callable[[list[Server]], Awaitable[offers.Offers[McpResource]]],
        page_of: Callable[[Server, str | None], Awaitable[offers.Offers[McpResource]]],
    ) -> None:
        self.name = name
        self._description = description
        self._key = key
        self._servers = servers
        self._all_of = all_of
        self._page_of = page_of

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        properties = {
            "server": {"type": "string", "description": "Only this MCP server; all of them if omitted."},
            "cursor": {
                "type": "string",
                "description": "The nextCursor from an earlier call for this server.",
            },
        }
        parameters = {
            "type": "object",
            "properties": properties,
            "additionalProperties": False,
        }
        return FunctionSpec(self.name, self._description, parameters)

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        try:
            arguments = _parsed(_ListArguments, call)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        if arguments.cursor is not None and not arguments.server:
            return ToolOutput("cursor can only be used when a server is specified", success=False)
        invocation = McpInvocation(
            server=arguments.server or EVERY_SERVER,
            tool=self.name,
            arguments=arguments.model_dump(exclude_none=True),
        )

        async def run() -> ToolOutput:
            if arguments.server:
                found = await self._page_of(_server(self._servers, arguments.server), arguments.cursor)
            else:
                found = await self._all_of(self._servers.all)
            answer: dict[str, Any] = {"server": arguments.server} if arguments.server else {}
            answer[self._key] = [_wire(one) for one in found.listed]
            if arguments.server and found.cursor is not None:
                answer["nextCursor"] = found.cursor
            if found.errors:
                answer["errors"] = found.errors
            text = await anyio.to_thread.run_sync(shortened, _json(answer), call.call_id, context)
            return ToolOutput(text)

        return await reported(invocation, call.call_id, context, run)


class _ReadTool:
    name = "read_mcp_resource"
    parallel_safe = True

    def __init__(self, servers: McpServers) -> None:
        self._servers = servers

    def spec(self) -> FunctionSpec:
        """See `Tool.spec`."""
        properties = {
            "server": {"type": "string", "description": "The server's name, as listed."},
            "uri": {
                "type": "string",
                "description": "The URI, as listed, or a template with its variables filled in.",
            },
        }
        parameters = {
            "type": "object",
            "properties": properties,
            "required": ["server", "uri"],
            "additionalProperties": False,
        }
        return FunctionSpec(self.name, "Read a resource of an MCP server.", parameters)

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        """See `Tool.call`."""
        try:
            arguments = _parsed(_ReadArguments, call)
        except BadArguments as error:
            return ToolOutput(str(error), success=False)
        invocation = McpInvocation(server=arguments.server, tool=self.name, arguments=arguments.model_dump())

        async def run() -> ToolOutput:
            server = _server(self._servers, arguments.server)
            with server.limit.call("resources/read"):
                result = await server.client().read_resource(arguments.uri, timeout=math.inf)
            return await anyio.to_thread.run_sync(
                output, result
            )  # a long one takes long, and is saved in a file

        def output(result: "ReadResourceResult") -> ToolOutput:
            contents, images = contents_of(result)
            answer = {"server": arguments.server, "uri": arguments.uri, "contents": contents}
            return ToolOutput(shortened(_json(answer), call.call_id, context), images=images)

        return await reported(invocation, call.call_id, context, run)


def _parsed(model: type[BaseModel], call: ToolCall) -> Any:
    """Parse the arguments of a call.

    Raises:
        BadArguments: the arguments are invalid.
    """
    if not isinstance(call, FunctionCall):
        raise BadArguments("failed to parse function arguments: not a JSON object")
    return parse_arguments(model, call.arguments)


def _server(servers: McpServers, name: str) -> Server:
    """Return a server that offers resources.

    Raises:
        McpClientError: no server with that name offers resources.
    """
    known = [server.name for server in servers.all if "resources" in server.offers]
    server = servers.server(name)
    if server is None or name not in known:
        raise McpClientError(f"no MCP server {name!r} offers resources: use one of {', '.join(known)}")
    return server


def _wire(resource: McpResource) -> dict[str, Any]:
    """The resource in the format that Codex lists."""
    dumped = resource.model_dump(exclude_none=True)
    for ours, theirs in (("uri_template", "uriTemplate"), ("mime_type", "mimeType")):
        if ours in dumped:
            dumped[theirs] = dumped.pop(ours)
    return dumped


def _json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
