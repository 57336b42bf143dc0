"""Requests over an open connection: their time limits, their rounds of questions, their second attempt."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.shared.dispatcher import CallOptions, ProgressFnT
from mcp.shared.exceptions import MCPError

from code_mcp_client.connect import Connection
from code_mcp_client.input_required import completed
from code_mcp_client.required_pages import after_pages


class Calls:
    """Sends the requests of a client.

    Args:
        connection: gives the open connection, or raises `ClientClosed`.
        relist: lists all tools again.
        seconds: the limit of a request without a limit of its own.
    """

    def __init__(
        self,
        connection: Callable[[], Connection],
        relist: Callable[[], Awaitable[None]],
        seconds: float | None,
    ) -> None:
        self._connection = connection
        self._relist = relist
        self._seconds = seconds

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        seconds: float | None,
        progress: ProgressFnT | None = None,
    ) -> dict[str, Any]:
        """One request; its `result` as it came.

        Args:
            method: of the request.
            params: of the request.
            seconds: the limit; None for the usual one, `math.inf` for none.
            progress: called with reports of progress.
        """
        options: CallOptions = {}
        if seconds is None:
            seconds = self._seconds
        if seconds is not None and seconds != math.inf:
            options["timeout"] = seconds
        if progress is not None:
            options["on_progress"] = progress
        return await self._connection().dispatcher.send_raw_request(method, params, options)

    async def completed(
        self,
        method: str,
        params: dict[str, Any],
        seconds: float | None,
        progress: ProgressFnT | None = None,
    ) -> dict[str, Any]:
        """The final result of a request; each round of it may take the given time, and its questions any."""
        connection = self._connection()
        if connection.dispatcher.era is None:
            return await after_pages(
                connection, method, lambda: self.request(method, params, seconds, progress)
            )
        return await completed(
            connection.session, method, params, lambda round_: self.request(method, round_, seconds, progress)
        )

    async def tool(
        self, params: dict[str, Any], seconds: float | None, progress: ProgressFnT | None
    ) -> dict[str, Any]:
        """A tool's result; once more with a new list of tools, if the server misses headers that the list names."""
        try:
            return await self.completed("tools/call", params, seconds, progress)
        except MCPError as error:
            if error.code != types.HEADER_MISMATCH or self._connection().dispatcher.era is None:
                raise
        await self._relist()
        return await self.completed("tools/call", params, seconds, progress)
