"""Approvals decided by an MCP server's tool instead of the frontend."""

import json
import logging
from typing import TYPE_CHECKING

from code_core.acp.permissions import permission_decision, permission_request
from code_core.config.schema.servers import ClientToolTable
from code_core.protocol.approval_events import ApprovalRequest
from code_core.protocol.policies import ReviewDecision
from code_core.session.servers.servers import ConversationServers

if TYPE_CHECKING:
    import mcp_types

_log = logging.getLogger("code_core")


class PermissionTool:
    """The tool named by `experimental_client_tools.request_permission`.

    Args:
        conversation_id: the `sessionId` of its questions.
        servers: the conversation's servers.
        tool: the server and tool to call.
    """

    def __init__(self, conversation_id: str, servers: ConversationServers, tool: ClientToolTable) -> None:
        self._conversation_id = conversation_id
        self._tool = tool
        self._servers = servers

    async def ask(self, request: ApprovalRequest) -> ReviewDecision | None:
        """Return the decision, or None if the tool is missing or does not decide; waits without a time limit."""
        from code_mcp_client import McpClientError

        tool = await self._servers.client_tool(self._tool)
        if tool is None:
            return None
        arguments = permission_request(self._conversation_id, request)
        try:
            result = await tool.host.call_tool(tool.definition.name, arguments)
        except (McpClientError, OSError) as error:
            _log.warning("the permission tool failed: %s", error)
            return None
        return None if result.is_error else permission_decision(structured_answer(result))


def structured_answer(result: "mcp_types.CallToolResult") -> object:
    """Return the structured content or, for servers that send none, the text parsed as JSON."""
    if result.structured_content is not None:
        return result.structured_content
    texts = [part.text for part in result.content if part.type == "text"]
    try:
        answer: object = json.loads("".join(texts))
    except (ValueError, RecursionError):
        return None
    return answer
