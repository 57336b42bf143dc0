"""Events of MCP servers: their tools at work, and what they ask the user."""

from typing import Any, Literal

from code_core.protocol.duration import Duration
from code_core.protocol.model import ProtocolModel
from code_core.protocol.text import Text


class McpInvocation(ProtocolModel):
    """A tool of a server, by the names that the server and the settings have for them."""

    server: Text
    tool: Text
    arguments: dict[Text, Any] | None = None


class McpToolCallBegin(ProtocolModel):
    """A tool of a server starts."""

    type: Literal["mcp_tool_call_begin"] = "mcp_tool_call_begin"
    call_id: Text
    invocation: McpInvocation


class McpToolCallEnd(ProtocolModel):
    """A tool of a server has ended.

    Attributes:
        result: `{"Ok": {"content": […], "isError": …}}` with the text that the model gets, and its
            images without their data; or `{"Err": "…"}` when there is no result.
    """

    type: Literal["mcp_tool_call_end"] = "mcp_tool_call_end"
    call_id: Text
    invocation: McpInvocation
    duration: Duration
    result: dict[Literal["Ok", "Err"], Any]

    @property
    def success(self) -> bool:
        """Whether there is a result that says so."""
        return "Ok" in self.result and not self.result["Ok"].get("isError")

    @property
    def text(self) -> str:
        """The result's text, or the reason for its absence."""
        if "Ok" not in self.result:
            return str(self.result["Err"])
        return "\n".join(part["text"] for part in self.result["Ok"]["content"] if part["type"] == "text")


class ElicitationRequest(ProtocolModel):
    """A server asks the user for something; answered by `resolve_elicitation` with the same `id`.

    Attributes:
        requested_schema: JSON Schema of a flat object, the answer's content; empty where there is a `url`.
        url: a page that the user is to open instead; only for frontends that declare that they can.
    """

    type: Literal["elicitation_request"] = "elicitation_request"
    id: Text
    server: Text
    message: Text
    requested_schema: dict[str, Any]
    url: Text | None = None


class McpTool(ProtocolModel):
    """A tool as `mcp_list_tools_response` lists it."""

    server: Text
    name: Text
    description: Text | None = None
    input_schema: dict[str, Any]


class McpListToolsResponse(ProtocolModel):
    """The tools of all servers, by the names that the model uses."""

    type: Literal["mcp_list_tools_response"] = "mcp_list_tools_response"
    tools: dict[Text, McpTool]


class McpServerStatus(ProtocolModel):
    """A server starts, is ready, or is not available; `error` says why."""

    type: Literal["mcp_server_status"] = "mcp_server_status"
    name: Text
    status: Literal["starting", "ready", "failed", "cancelled"]
    error: Text | None = None


class McpToolCallProgress(ProtocolModel):
    """The progress of a server's tool, in the server's own units."""

    type: Literal["mcp_tool_call_progress"] = "mcp_tool_call_progress"
    call_id: Text
    progress: float
    total: float | None = None
    message: Text | None = None
