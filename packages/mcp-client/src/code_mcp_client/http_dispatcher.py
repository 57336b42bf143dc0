"""The SDK's HTTP transport behind one dispatcher that outlives its sessions and its failures.

The SDK's transport ends with the first connection error and stays with a session that
the server has forgotten. This one then opens another, repeats the handshake, and asks
again what only reads. A tool call is never sent twice: nobody knows whether it ran.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import CallOptions, OnNotify, OnNotifyIntercept, OnRequest
from mcp.shared.exceptions import MCPError
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, REQUEST_TIMEOUT

from code_mcp_client.errors import ClientClosed, ConnectionLost, MessageTooLarge, RequestTimedOut
from code_mcp_client.http_responses import SESSION_HEADER, Responses

READS = frozenset(
    {
        "ping",
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
    }
)
_RETRY_DELAYS = (0.1, 0.5)
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})
_GOODBYE_SECONDS = 2.0

logger = logging.getLogger("code_mcp_client")


@dataclass(slots=True, eq=False)
class _Link:
    """One transport and its session, until it fails or is given up."""

    ready: anyio.Event = field(default_factory=anyio.Event)
    retired: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)
    handshake: anyio.Lock = field(default_factory=anyio.Lock)
    shook_hands: bool = False
    inner: JSONRPCDispatcher | None = None
    reason: str = "it was closed"


class _TryAgain(Exception):  # noqa: N818 - a state of an attempt, and never seen outside this file
    """An attempt failed in a way that another may not; `error` is for the caller if there is no other."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class HttpDispatcher:
    """JSON-RPC over streamable HTTP, for the SDK's `ClientSession(dispatcher=…)`.

    Args:
        url: the server's endpoint.
        client: sends the requests; has `responses.hook` as a response hook.
        responses: see there.
        limit: most bytes of one event in a stream of events.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient, responses: Responses, limit: int) -> None:
        self._url = url
        self._client = client
        self._responses = responses
        self._limit = limit
        self._last_id = 0
        self._link = _Link()
        self._running = False
        self._initialize: tuple[Mapping[str, Any] | None, CallOptions] | None = None

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Send a request and return the answer's `result`; one that only reads is tried three times.

        Raises:
            MCPError: the server answered with an error, or with an HTTP status that is one.
            RequestTimedOut: no answer in `opts["timeout"]` seconds, over all attempts.
            ConnectionLost: the server cannot be reached, or has forgotten the session.
            MessageTooLarge: the answer was longer than the limit.
        """
        options: CallOptions = {**(opts or {})}
        timeout = options.pop("timeout", None)
        if method == "initialize":
            self._initialize = (params, options)
        delays = _RETRY_DELAYS if method in READS else ()
        try:
            with anyio.fail_after(timeout):
                for delay in (*delays, None):
                    try:
                        return await self._attempt(method, params, options)
                    except _TryAgain as failed:
                        if delay is None:
                            raise failed.error from None
                        logger.info("%s is tried again in %s s: %s", method, delay, failed.error)
                    await anyio.sleep(delay)
        except TimeoutError:
            raise RequestTimedOut(
                f"{method}: MCP server {self._url} did not answer within {timeout} s"
            ) from None
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification; dropped, as the interface asks, when there is no connection."""
        if self._link.inner is not None:
            await self._link.inner.notify(method, params, opts)

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Keep a transport open, a new one whenever the last has ended; opening sends nothing by itself."""
        self._running = True
        task_status.started()
        try:
            while True:
                link = self._link
                try:
                    await self._serve(link, on_request, on_notify, on_notify_intercept)
                except* httpx2.HTTPError as failures:
                    link.reason = _first(failures)
                    logger.warning("the connection to MCP server %s failed: %s", self._url, link.reason)
                finally:
                    self._link = _Link()
                    link.inner = None
                    link.over.set()
        finally:
            self._running = False
            self._link.ready.set()

    async def end_session(self) -> None:
        """Tell the server that its session may go; given up after 2 s."""
        if self._responses.session_id is None:
            return
        with anyio.move_on_after(_GOODBYE_SECONDS):
            try:
                await self._client.delete(self._url, headers={SESSION_HEADER: self._responses.session_id})
            except httpx2.HTTPError as error:
                logger.info("MCP server %s was not told that its session ends: %r", self._url, error)

    async def _serve(
        self, link: _Link, on_request: OnRequest, on_notify: OnNotify, intercept: OnNotifyIntercept | None
    ) -> None:
        transport = streamable_http_client(
            self._url, http_client=self._client, terminate_on_close=False, max_sse_event_size=self._limit
        )
        async with transport as (read, write), anyio.create_task_group() as tasks:
            inner: JSONRPCDispatcher = JSONRPCDispatcher(read, write)
            await tasks.start(inner.run, on_request, on_notify, intercept)
            link.inner = inner
            link.ready.set()
            await link.retired.wait()
            tasks.cancel_scope.cancel()

    async def _attempt(
        self, method: str, params: Mapping[str, Any] | None, options: CallOptions
    ) -> dict[str, Any]:
        link = await self._open_link()
        if method == "initialize":
            link.shook_hands = True
        await self._shake_hands(link)
        return await self._send(link, method, params, options)

    async def _open_link(self) -> _Link:
        while True:
            link = self._link
            await link.ready.wait()
            if not self._running:
                raise ClientClosed("the MCP client was closed")
            if link is self._link:
                return link

    async def _shake_hands(self, link: _Link) -> None:
        """Repeat on a new link what the session said on its first."""
        async with link.handshake:
            if link.shook_hands or self._initialize is None:
                return
            params, options = self._initialize
            result = await self._send(link, "initialize", params, options)
            headers = {"mcp-protocol-version": str(result.get("protocolVersion"))}
            if link.inner is not None:
                await link.inner.notify("notifications/initialized", None, {"headers": headers})
            link.shook_hands = True

    async def _send(
        self, link: _Link, method: str, params: Mapping[str, Any] | None, options: CallOptions
    ) -> dict[str, Any]:
        inner = link.inner
        if inner is None:
            raise _TryAgain(ConnectionLost(f"{method}: the connection to MCP server {self._url} was lost"))
        self._last_id += 1
        request_id = options.get("request_id", self._last_id)
        try:
            return await inner.send_raw_request(method, params, {**options, "request_id": request_id})
        except MCPError as error:
            status = self._responses.take_status(request_id)
            raise await self._understood(error, status, link, method) from error

    async def _understood(self, error: MCPError, status: int | None, link: _Link, method: str) -> Exception:
        """What the SDK's error means for the caller."""
        if error.message == "Connection closed" and await _is_over(link):
            return _TryAgain(
                ConnectionLost(f"{method}: no connection to MCP server {self._url}: {link.reason}")
            )
        forgotten = self._responses.session_id is not None and error.code != METHOD_NOT_FOUND
        if status == 404 and (forgotten or error.code == INVALID_REQUEST):
            self._responses.session_id = None
            link.retired.set()
            await link.over.wait()
            return _TryAgain(
                ConnectionLost(f"{method}: MCP server {self._url} has forgotten the session; the next is new")
            )
        if error.code == REQUEST_TIMEOUT:
            return RequestTimedOut(f"{method}: {error.message}")
        too_long = "max_message_bytes" in error.message or f"exceeded the {self._limit} byte" in error.message
        if too_long and error.code in {PARSE_ERROR, CONNECTION_CLOSED}:
            return MessageTooLarge(f"{method}: cannot use the MCP server's answer: {error.message}")
        if status is not None and error.message == "Server returned an error response":
            refused = MCPError(error.code, f"MCP server {self._url} answered with HTTP status {status}")
            return _TryAgain(refused) if status in _RETRIED_STATUSES else refused
        return error


async def _is_over(link: _Link) -> bool:
    """Whether the link itself has ended; its last requests hear of it a moment before it is known why."""
    with anyio.move_on_after(1):
        await link.over.wait()
    return link.over.is_set()


def _first(failures: BaseExceptionGroup[httpx2.HTTPError]) -> str:
    error: BaseException = failures
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__
