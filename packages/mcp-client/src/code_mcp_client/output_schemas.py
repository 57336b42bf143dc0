"""Checks tool results against the output schemas in the list of tools."""

import logging
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.client.session import ClientSession

from code_mcp_client.errors import InvalidResult, McpClientError
from code_mcp_client.large_values import is_large

_MOST_PAGES = 100
_UNUSABLE_SCHEMA = "Invalid schema for tool"
"""Beginning of the SDK's error if the schema rather than the result is invalid."""

logger = logging.getLogger("code_mcp_client")

ListTools = Callable[[str | None], Awaitable[types.ListToolsResult]]


class OutputSchemas:
    """Tracks which tools have output schemas; the schemas themselves are kept by the session.

    Args:
        list_tools: fetches a page of tools by cursor and passes it to `note`.
    """

    def __init__(self, list_tools: ListTools) -> None:
        self._list_tools = list_tools
        self._promising: dict[str, bool] | None = None

    def note(self, tools: list[types.Tool]) -> None:
        """Record a page of tools."""
        listed = {tool.name: tool.output_schema is not None for tool in tools}
        self._promising = (self._promising or {}) | listed

    async def check(self, session: ClientSession, tool: str, result: types.CallToolResult) -> None:
        """Check a result, fetching the list of tools if it was never listed.

        Raises:
            InvalidResult: the result does not match the tool's output schema.
        """
        if result.is_error or not await self._promises(tool):
            return
        try:
            if is_large(result.structured_content):  # the session has the tool's schema, so it sends nothing
                await anyio.to_thread.run_sync(anyio.run, session.validate_tool_result, tool, result)
            else:
                await session.validate_tool_result(tool, result)
        except RuntimeError as error:  # from the SDK; the text says what does not match
            problem, _, _ = str(error).partition("\n")  # the rest is the schema and the result
            if problem.startswith(_UNUSABLE_SCHEMA):
                logger.warning("the result of tool %r is not checked: %s", tool, problem)
                return
            raise InvalidResult(problem) from error

    async def _promises(self, tool: str) -> bool:
        if self._promising is None:
            self._promising = {}
            try:
                page = await self._list_tools(None)
                for _ in range(_MOST_PAGES):
                    if tool in self._promising or page.next_cursor is None:
                        break
                    page = await self._list_tools(page.next_cursor)
            except McpClientError as error:  # the tool has run, so its result matters more than the check
                logger.warning(
                    "the result of tool %r is not checked, the server lists no tools: %s", tool, error
                )
        return self._promising.get(tool, False)
