"""Requests over an open connection: time limits, rounds of questions, and retries."""

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
        connection: returns the open connection, or raises `ClientClosed`.
        relist: lists all tools again.
        seconds: the default time limit for a request.
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
        """Send one request and return its unvalidated `result`.

        Args:
            method: the method name.
            params: the parameters.
            seconds: the time limit; None for the default, `math.inf` for none.
            progress: called with progress reports.
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
        """Return the final result of a request; the time limit applies to each round, but not to questions in between."""
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
        """Return a tool's result; retries once with a new list of tools if the server misses headers that the list defines."""
        try:
            return await self.completed("tools/call", params, seconds, progress)
        except MCPError as error:
            if error.code != types.HEADER_MISMATCH or self._connection().dispatcher.era is None:
                raise
        await self._relist()
        return await self.completed("tools/call", params, seconds, progress)
