"""Events of MCP servers: tool calls, and questions to the user."""

from typing import Any, Literal

from code_core.protocol.duration import Duration
from code_core.protocol.model import ProtocolModel
from code_core.protocol.ops import InputItem
from code_core.protocol.text import Text


class McpInvocation(ProtocolModel):
    """A call of a server's tool: `server` is a name from the settings, `tool` one of the server's own."""

    server: Text
    tool: Text
    arguments: dict[Text, Any] | None = None


class McpToolCallBegin(ProtocolModel):
    """A server's tool starts."""

    type: Literal["mcp_tool_call_begin"] = "mcp_tool_call_begin"
    call_id: Text
    invocation: McpInvocation


class McpToolCallEnd(ProtocolModel):
    """A server's tool has ended.

    Attributes:
        result: `{"Ok": {"content": […], "isError": …}}` with the text for the model, and images without
            their data; or `{"Err": "…"}` if there is no result.
    """

    type: Literal["mcp_tool_call_end"] = "mcp_tool_call_end"
    call_id: Text
    invocation: McpInvocation
    duration: Duration
    result: dict[Literal["Ok", "Err"], Any]

    @property
    def success(self) -> bool:
        """Whether the call succeeded."""
        return "Ok" in self.result and not self.result["Ok"].get("isError")

    @property
    def text(self) -> str:
        """The result's text, or the error."""
        if "Ok" not in self.result:
            return str(self.result["Err"])
        return "\n".join(part["text"] for part in self.result["Ok"]["content"] if part["type"] == "text")


class ElicitationRequest(ProtocolModel):
    """A server asks the user for input; answered by `resolve_elicitation` with the same `id`.

    Attributes:
        requested_schema: JSON Schema of the answer's content, a flat object; empty if there is a `url`.
        url: a page to open instead; only for frontends that declare support.
    """

    type: Literal["elicitation_request"] = "elicitation_request"
    id: Text
    server: Text
    message: Text
    requested_schema: dict[str, Any]
    url: Text | None = None


class ElicitationComplete(ProtocolModel):
    """A server reports that the user has finished on the page of an `elicitation_request`."""

    type: Literal["elicitation_complete"] = "elicitation_complete"
    id: Text
    server: Text


class ElicitationWithdrawn(ProtocolModel):
    """A server no longer waits for the answer to its `elicitation_request`: it cancelled the request or has ended.

    Questions that are still open when their turn ends are withdrawn without this event.
    """

    type: Literal["elicitation_withdrawn"] = "elicitation_withdrawn"
    id: Text
    server: Text


class McpTool(ProtocolModel):
    """A tool in an `mcp_list_tools_response`."""

    server: Text
    name: Text
    description: Text | None = None
    input_schema: dict[str, Any]


class McpListToolsResponse(ProtocolModel):
    """The tools of all servers, keyed by the names that the model uses."""

    type: Literal["mcp_list_tools_response"] = "mcp_list_tools_response"
    tools: dict[Text, McpTool]


class McpResource(ProtocolModel):
    """A server's resource or, with `uri_template`, a family of resources."""

    server: Text
    uri: Text | None = None
    uri_template: Text | None = None
    name: Text
    title: Text | None = None
    description: Text | None = None
    mime_type: Text | None = None
    size: int | None = None


class McpListResourcesResponse(ProtocolModel):
    """The resources of all servers, and the errors of servers whose resources could not be listed."""

    type: Literal["mcp_list_resources_response"] = "mcp_list_resources_response"
    resources: list[McpResource]
    templates: list[McpResource]
    errors: dict[Text, Text] = {}


class McpPromptArgument(ProtocolModel):
    """An argument of a prompt."""

    name: Text
    description: Text | None = None
    required: bool = False


class McpPrompt(ProtocolModel):
    """A server's prompt, which a frontend can offer as a command."""

    server: Text
    name: Text
    title: Text | None = None
    description: Text | None = None
    arguments: list[McpPromptArgument] = []


class McpListPromptsResponse(ProtocolModel):
    """The prompts of all servers, and the errors of servers whose prompts could not be listed."""

    type: Literal["mcp_list_prompts_response"] = "mcp_list_prompts_response"
    prompts: list[McpPrompt]
    errors: dict[Text, Text] = {}


class McpGetPromptResponse(ProtocolModel):
    """A prompt to be sent with `user_input`, or the reason why the server did not return one."""

    type: Literal["mcp_get_prompt_response"] = "mcp_get_prompt_response"
    server: Text
    name: Text
    items: list[InputItem] = []
    error: Text | None = None


class McpOffersChanged(ProtocolModel):
    """A server offers different tools, resources or prompts now; list them again."""

    type: Literal["mcp_offers_changed"] = "mcp_offers_changed"
    server: Text
    kinds: list[Literal["tools", "resources", "prompts"]]


class McpServerStatus(ProtocolModel):
    """A server is starting, ready or not available; `error` says why."""

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
