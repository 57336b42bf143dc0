"""The SDK's HTTP transport behind a dispatcher that outlives its sessions and failures.

A failed connection fails only one request (see `IsolatingClient`). Requests that were certainly not
sent, and those that only read, are retried; a tool call that may have run is never sent twice. The
SDK's transport keeps using a session that the server has forgotten; this dispatcher then opens another
and repeats the handshake, while requests in flight on the old one may still be answered.
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
from code_mcp_client.http_client import BROKEN
from code_mcp_client.http_failures import Broken, Refused, shown
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
_CUT_SHORT = frozenset(
    {
        BROKEN,
        "SSE stream ended without a response",
        "SSE stream ended and reconnection attempts were exhausted",
    }
)
"""Messages with which our client and the SDK's transport answer if the server did not."""
_GOODBYE_SECONDS = 2.0

logger = logging.getLogger("code_mcp_client")


@dataclass(slots=True, eq=False)
class _Link:
    """A transport and its session, until it is retired and its last request has ended.

    Attributes:
        shaken: whether a connection has failed, so that the server may have restarted and forgotten the session.
        in_flight: the number of pending requests.
        drained: set when it is retired and no request is pending.
    """

    ready: anyio.Event = field(default_factory=anyio.Event)
    retired: anyio.Event = field(default_factory=anyio.Event)
    drained: anyio.Event = field(default_factory=anyio.Event)
    handshake: anyio.Lock = field(default_factory=anyio.Lock)
    shook_hands: bool = False
    shaken: bool = False
    in_flight: int = 0
    inner: JSONRPCDispatcher | None = None

    def retire(self) -> None:
        """Accept no further requests."""
        self.retired.set()
        self.settle()

    def settle(self) -> None:
        """Set `drained` if the last request has ended."""
        if self.retired.is_set() and not self.in_flight:
            self.drained.set()


class _TryAgain(Exception):  # noqa: N818 - a state of an attempt, internal to this file
    """An attempt failed in a way that may be worth retrying.

    Attributes:
        error: raised to the caller if there is no other attempt.
        unsent: whether the request certainly did not reach the server.
    """

    def __init__(self, error: Exception, *, unsent: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.unsent = unsent


class HttpDispatcher:
    """JSON-RPC over streamable HTTP, for the SDK's `ClientSession(dispatcher=…)`.

    Args:
        url: the server's endpoint.
        client: sends the requests.
        responses: holds the failures of the client's requests.
        limit: the maximum size of one event in an event stream, in bytes.
    """

    def __init__(self, url: str, client: httpx2.AsyncClient, responses: Responses, limit: int) -> None:
        self._url = url
        self._shown = shown(httpx2.URL(url))
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
        """Send a request and return the `result` of its answer, with up to three attempts if safe to repeat.

        Raises:
            MCPError: the server answered with an error or an HTTP error status.
            RequestTimedOut: no answer in `opts["timeout"]` seconds, over all attempts.
            ConnectionLost: the server cannot be reached or has forgotten the session.
            MessageTooLarge: the answer exceeded the limit.
        """
        options: CallOptions = {**(opts or {})}
        timeout = options.pop("timeout", None)
        if method == "initialize":
            self._initialize = (params, options)
        try:
            with anyio.fail_after(timeout):
                for delay in (*_RETRY_DELAYS, None):
                    try:
                        return await self._attempt(method, params, options)
                    except _TryAgain as failed:
                        if delay is None or not (failed.unsent or method in READS):
                            raise failed.error from None
                        logger.info("retrying %s in %s s: %s", method, delay, failed.error)
                    await anyio.sleep(delay)
        except TimeoutError:
            raise RequestTimedOut(
                f"{method}: MCP server {self._shown} did not answer within {timeout} s"
            ) from None
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification; as the interface requires, it is dropped without a connection."""
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
        """Keep a transport open, replacing it when it ends; opening one sends nothing by itself."""
        self._running = True
        task_status.started()
        try:
            async with anyio.create_task_group() as links:
                while True:
                    link = self._link
                    links.start_soon(self._keep, link, on_request, on_notify, on_notify_intercept)
                    await link.retired.wait()
        finally:
            self._running = False
            self._link.ready.set()

    async def end_session(self) -> None:
        """Tell the server that its session has ended; gives up after 2 s."""
        if self._responses.session_id is None:
            return
        with anyio.move_on_after(_GOODBYE_SECONDS):
            try:
                await self._client.delete(self._url, headers={SESSION_HEADER: self._responses.session_id})
            except httpx2.HTTPError as error:
                logger.info("cannot end the session at MCP server %s: %r", self._shown, error)

    async def _keep(
        self, link: _Link, on_request: OnRequest, on_notify: OnNotify, intercept: OnNotifyIntercept | None
    ) -> None:
        """Serve one link until it is drained or its transport has ended."""
        transport = streamable_http_client(
            self._url, http_client=self._client, terminate_on_close=False, max_sse_event_size=self._limit
        )
        async with transport as (read, write), anyio.create_task_group() as tasks:
            link.inner = JSONRPCDispatcher(read, write)

            async def pump(*, task_status: anyio.abc.TaskStatus[None]) -> None:
                await inner.run(on_request, on_notify, intercept, task_status=task_status)
                self._replace(link)

            inner = link.inner
            await tasks.start(pump)
            link.ready.set()
            await link.drained.wait()
            tasks.cancel_scope.cancel()

    def _replace(self, link: _Link) -> None:
        """Use a new link for later messages."""
        if self._link is link:
            self._link = _Link()
        link.retire()

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
            if (
                self._responses.forgotten is not None
                and self._responses.forgotten == self._responses.session_id
            ):
                self._responses.session_id = None
                self._replace(link)
            elif link is self._link and not link.retired.is_set():
                return link

    async def _shake_hands(self, link: _Link) -> None:
        """Repeat the session's handshake on a new link."""
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
        if inner is None or link.retired.is_set():
            lost = ConnectionLost(f"{method}: the connection to MCP server {self._shown} was lost")
            raise _TryAgain(lost, unsent=True)
        self._last_id += 1
        request_id = options.get("request_id", self._last_id)
        link.in_flight += 1
        try:
            return await inner.send_raw_request(method, params, {**options, "request_id": request_id})
        except MCPError as error:
            match self._responses.take_failure(request_id):
                case Refused(status=status):
                    raise self._refused(error, status, link, method) from error
                case failure:
                    raise self._failed(error, failure, link, method) from error
        finally:
            self._responses.take_failure(request_id)
            link.in_flight -= 1
            link.settle()

    def _refused(self, error: MCPError, status: int, link: _Link, method: str) -> Exception:
        """The caller's error for an HTTP status."""
        if self._has_forgotten(error, status, link):
            if link is self._link:
                self._responses.session_id = None
            self._replace(link)
            return _TryAgain(
                ConnectionLost(
                    f"{method}: MCP server {self._shown} has forgotten the session; the next request opens another"
                )
            )
        if error.message == "Server returned an error response":
            refused = MCPError(error.code, f"MCP server {self._shown} answered with HTTP status {status}")
            return _TryAgain(refused) if status in _RETRIED_STATUSES else refused
        return error

    def _has_forgotten(self, error: MCPError, status: int, link: _Link) -> bool:
        """Whether a status means that the server does not know the session; 404 does, and often 400."""
        match status:
            case 404:
                in_session = self._responses.session_id is not None and error.code != METHOD_NOT_FOUND
                return in_session or error.code == INVALID_REQUEST
            case 400:
                doubtful = link.shaken or "session" in error.message.lower()
                return doubtful and link.shook_hands and self._responses.session_id is not None
            case _:
                return False

    def _failed(self, error: MCPError, failure: Broken | None, link: _Link, method: str) -> Exception:
        """The caller's error for an error of the SDK's transport."""
        if failure is not None or error.message in _CUT_SHORT or error.message == "Connection closed":
            link.shaken = True
            broken = failure or Broken("it closed the connection before it had answered", unsent=False)
            return _TryAgain(self._lost(method, broken), unsent=broken.unsent)
        if error.code == REQUEST_TIMEOUT:
            return RequestTimedOut(f"{method}: {error.message}")
        too_long = "max_message_bytes" in error.message or f"exceeded the {self._limit} byte" in error.message
        if too_long and error.code in {PARSE_ERROR, CONNECTION_CLOSED}:
            return MessageTooLarge(f"{method}: cannot use the MCP server's answer: {error.message}")
        return error

    def _lost(self, method: str, broken: Broken) -> ConnectionLost:
        if broken.unsent:
            return ConnectionLost(f"{method}: no connection to MCP server {self._shown}: {broken.reason}")
        unsure = "; the tool may have run" if method == "tools/call" else ""
        return ConnectionLost(f"{method}: no answer from MCP server {self._shown}: {broken.reason}{unsure}")
