"""An HTTP client for the SDK's transport that confines each failure to one request.

The SDK's transport ends with the first error raised while sending a message, and sends nothing
else while a notification waits for its status. Here, a failed request gets an error answer,
notifications and answers to the server are sent in the background, and the stream of the
server's own messages is reopened while the connection is in use.
"""

import logging
from typing import Any

import anyio
import anyio.abc
import httpx2
from mcp_types import CONNECTION_CLOSED
from pydantic_core import from_json

from code_mcp_client.http_failures import Broken, reason_of, shown
from code_mcp_client.http_responses import Responses

BROKEN = "the exchange broke"
"""The message of the answer that represents a failed exchange; `Responses` has the failure."""
_SECONDS_TO_TAKE = 30.0
"""Time limit for the server to accept a notification or an answer."""
_SECONDS_TO_BEGIN = 5.0
"""Time limit for `notifications/initialized`, before which the server may refuse requests."""
_MOST_IN_BACKGROUND = 1_000
_LARGEST_IN_BACKGROUND = 64 * 1024
_REOPEN_DELAYS = (1.0, 2.0, 5.0)

logger = logging.getLogger("code_mcp_client")


class IsolatingClient(httpx2.AsyncClient):
    """Sends the SDK's requests; never raises for failures of the server or the network.

    Args:
        responses: records the failures.
        tasks: runs background sends.
        options: passed to `httpx2.AsyncClient`.
    """

    def __init__(self, responses: Responses, tasks: anyio.abc.TaskGroup, **options: Any) -> None:
        super().__init__(event_hooks={"response": [responses.hook]}, **options)
        self._responses = responses
        self._tasks = tasks
        self._in_background = 0

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """See `httpx2.AsyncClient.send`; the response may represent a failure."""
        match request.method:
            case "POST":
                return await self._post(request, options)
            case "GET":
                return await self._open_stream(request, options)
            case _:
                return await super().send(request, **options)

    async def _post(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        match _method_of_notification(request.content):
            case "notifications/initialized":
                with anyio.move_on_after(_SECONDS_TO_BEGIN):
                    return await self._answered(request, options)
            case str():
                if self._in_background < _MOST_IN_BACKGROUND:
                    self._in_background += 1
                    self._tasks.start_soon(self._send_aside, request, options)
                else:
                    logger.warning("%s does not accept messages: one was dropped", shown(request.url))
            case None:
                return await self._answered(request, options)
        return httpx2.Response(202, request=request)

    async def _send_aside(self, request: httpx2.Request, options: dict[str, Any]) -> None:
        try:
            with anyio.move_on_after(_SECONDS_TO_TAKE):
                response = await self._answered(request, options)
                try:
                    if await self._responses.note_forgotten(response):
                        logger.info("%s has forgotten the session", shown(request.url))
                except httpx2.StreamError as error:
                    logger.info("no readable answer from %s: %s", shown(request.url), error)
                finally:
                    await response.aclose()
        finally:
            self._in_background -= 1

    async def _answered(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """The server's response, or one that represents the failure to get one."""
        try:
            return await super().send(request, **options)
        except Exception as error:  # noqa: BLE001 - any failure in sending or signing in affects only this request
            failure = Broken.by(error, request.url)
            logger.info("no answer from %s: %s", shown(request.url), failure.reason)
            request_id = self._responses.note(request, failure)
        if request_id is None:
            return httpx2.Response(202, request=request)
        fault = {"code": CONNECTION_CLOSED, "message": BROKEN}
        return httpx2.Response(
            200, json={"jsonrpc": "2.0", "id": request_id, "error": fault}, request=request
        )

    async def _open_stream(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """Open the stream of the server's own messages, retrying while there is no connection.

        A stream that resumes the answer to a request (`Last-Event-ID`) fails immediately, because a task waits for it.
        """
        attempt = 0
        while True:
            try:
                return await super().send(request, **options)
            except httpx2.TransportError as error:
                if "last-event-id" in request.headers:
                    raise
                logger.info("no stream of messages from %s: %s", shown(request.url), reason_of(error))
            await anyio.sleep(_REOPEN_DELAYS[min(attempt, len(_REOPEN_DELAYS) - 1)])
            attempt += 1


def _method_of_notification(content: bytes) -> str | None:
    """The method of a notification, or an empty string for an answer; None for a request or an overlong message."""
    if len(content) > _LARGEST_IN_BACKGROUND:
        return None
    message = from_json(content)
    if "method" not in message:
        return ""
    return None if "id" in message else str(message["method"])
