"""Requests that a server refuses until the user has visited its pages: opens the pages and repeats the request.

Source: MCP 2025-11-25, "URL Elicitation Required Error". Since 2026-07-28 servers ask with `input_required` instead.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from mcp.client.session import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    URL_ELICITATION_REQUIRED,
    ElicitationRequiredErrorData,
    ElicitRequest,
    ElicitRequestURLParams,
    ElicitResult,
)
from pydantic import ValidationError

from code_mcp_client.connect import Connection
from code_mcp_client.notifications import PAGE_DONE, Notifications

MOST_PAGES = 10
MOST_ROUNDS = 5
SECONDS_TO_VISIT = 60.0
"""Time for the server to report that the user is done with its pages, which is optional; then the request is repeated."""

Send = Callable[[], Awaitable[dict[str, Any]]]


async def after_pages(connection: Connection, method: str, send: Send) -> dict[str, Any]:
    """Return the result of a request, after at most 5 rounds of pages that the user is asked to open.

    The user is not asked again about a page that they have agreed to open.

    Args:
        connection: its callbacks ask the user.
        method: the method of the request.
        send: sends the request.

    Raises:
        MCPError: the server refuses the request, or the user declines to open a page.
    """
    opened: set[str] = set()
    for _ in range(MOST_ROUNDS):
        try:
            return await send()
        except MCPError as error:
            pages = _pages_of(error)
            if not pages:
                raise
            done = connection.dispatcher.listen()
            for page in pages:
                if page.url not in opened and not await _opened(connection, method, page):
                    raise MCPError(
                        error.code, f"{error.message}: the user did not open the page", error.data
                    ) from None
                opened.add(page.url)
            left = {str(page.elicitation_id) for page in pages} - set(connection.dispatcher.pages_done)
            with anyio.move_on_after(SECONDS_TO_VISIT):
                await _completed(done, left)
    return await send()


def _pages_of(error: MCPError) -> list[ElicitRequestURLParams]:
    """The pages that an error asks for; empty for any other or malformed error."""
    if error.code != URL_ELICITATION_REQUIRED:
        return []
    try:
        pages = ElicitationRequiredErrorData.model_validate(error.data).elicitations
    except ValidationError:
        return []
    return pages if len(pages) <= MOST_PAGES else []


async def _opened(connection: Connection, method: str, page: ElicitRequestURLParams) -> bool:
    session = connection.session
    context = ClientRequestContext(session=session, request_id=f"{method}-{page.elicitation_id}", meta=None)
    answer = await session.dispatch_input_request(context, ElicitRequest(params=page))
    return isinstance(answer, ElicitResult) and answer.action == "accept"


async def _completed(notifications: Notifications, left: set[str]) -> None:
    """Wait until the server has reported that all of these pages are completed."""
    while left:
        notification = await anext(notifications, None)
        if notification is None:  # the connection has ended
            return
        if notification.method == PAGE_DONE:
            left.discard(str((notification.params or {}).get("elicitationId")))
