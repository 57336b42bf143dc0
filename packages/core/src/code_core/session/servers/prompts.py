"""Fetches a prompt of an MCP server for a user who typed its command."""

from typing import TypeVar

from code_core.context.server_prompts import BadPromptCommand, query_of
from code_core.protocol.mcp_events import McpGetPromptResponse, McpListPromptsResponse
from code_core.protocol.ops import GetMcpPrompt, InputItem, ListMcpPrompts, Op
from code_core.session.conversation import Conversation

Response = TypeVar("Response", McpListPromptsResponse, McpGetPromptResponse)


async def list_server_prompts(conversation: Conversation) -> McpListPromptsResponse:
    """The prompts of all MCP servers of a conversation, once these have started."""
    return await _answered(conversation, ListMcpPrompts(), McpListPromptsResponse)


async def fetch_server_prompt(conversation: Conversation, command: str, typed: str) -> list[InputItem]:
    """A prompt as input for the model.

    Args:
        conversation: whose servers are asked; it must be running.
        command: `mcp:SERVER:NAME`, without its slash.
        typed: what follows the command.

    Raises:
        BadPromptCommand: there is no such prompt, arguments are missing, or its server does not return it.
    """
    listed = await list_server_prompts(conversation)
    return await get_server_prompt(conversation, query_of(command, typed, listed.prompts, listed.errors))


async def get_server_prompt(conversation: Conversation, query: GetMcpPrompt) -> list[InputItem]:
    """The prompt that `query` names, as input for the model.

    Raises:
        BadPromptCommand: its server does not return it.
    """
    got = await _answered(conversation, query, McpGetPromptResponse)
    if got.error is not None:
        raise BadPromptCommand(
            f"the MCP server {got.server!r} does not return its prompt {got.name!r}: {got.error}"
        )
    return got.items


async def _answered(conversation: Conversation, op: Op, kind: type[Response]) -> Response:
    reader = conversation.follow()
    try:
        submission = await conversation.submit(op)
        async for event in reader:
            if event.id == submission and isinstance(event.msg, kind):
                return event.msg
    finally:
        reader.close()
    raise BadPromptCommand("the conversation has ended")
