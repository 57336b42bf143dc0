"""Processes every HTTP response before the SDK reads it: limits its size and records failures."""

import json
from collections import OrderedDict
from collections.abc import AsyncIterator

import httpx2
from mcp_types import METHOD_NOT_FOUND

from code_mcp_client.http_failures import Broken, Failure, Refused, reason_of
from code_mcp_client.messages import RequestId

_MOST_REMEMBERED = 1_000
SESSION_HEADER = "mcp-session-id"


class Unreadable(httpx2.StreamError):
    """A response cannot be read to its end; the SDK turns this kind of error into an answer to the request."""


class Responses:
    """A response hook for an `httpx2.AsyncClient`, which records the failures of its requests.

    Attributes:
        session_id: the MCP session id that the server sent last.
        forgotten: the session id that the server did not know when it got a notification or an answer.

    Args:
        limit: the maximum size in bytes of a response that is not an event stream, and of one event.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._failures: OrderedDict[RequestId, Failure] = OrderedDict()
        self.session_id: str | None = None
        self.forgotten: str | None = None

    async def hook(self, response: httpx2.Response) -> None:
        """Record the status of a refused request; limit the body and record where it breaks."""
        if SESSION_HEADER not in response.request.headers:  # later answers may belong to an older session
            self.session_id = response.headers.get(SESSION_HEADER, self.session_id)
        if response.status_code >= 400:
            self.note(response.request, Refused(response.status_code))
        is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        response.stream = _Stream(response, self, None if is_stream else self._limit)

    def note(self, request: httpx2.Request, failure: Failure) -> RequestId | None:
        """Keep a failure for the sender of the JSON-RPC request in `request`; return its id, or None."""
        try:
            sent = json.loads(request.content)
        except (ValueError, httpx2.RequestNotRead):  # a GET or DELETE
            return None
        if not (isinstance(sent, dict) and "method" in sent and isinstance(sent.get("id"), int | str)):
            return None
        request_id: RequestId = sent["id"]
        self._failures[request_id] = failure
        while len(self._failures) > _MOST_REMEMBERED:
            self._failures.popitem(last=False)
        return request_id

    async def note_forgotten(self, response: httpx2.Response) -> bool:
        """Note and return whether this response to a notification or an answer says that its session is unknown."""
        if response.status_code not in {400, 404} or SESSION_HEADER not in response.request.headers:
            return False
        body = await response.aread()
        match _json_of(body):
            case {"error": {"code": code}} if code == METHOD_NOT_FOUND:
                return False
            case _ if response.status_code == 400 and b"session" not in body.lower():
                return False
        self.forgotten = response.request.headers[SESSION_HEADER]
        return True

    def take_failure(self, request_id: RequestId) -> Failure | None:
        """Return the failure of a request, once."""
        return self._failures.pop(request_id, None)


def _json_of(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


class _Stream(httpx2.AsyncByteStream):
    """The body of a response; `limit` is None for an event stream, whose events are limited individually."""

    def __init__(self, response: httpx2.Response, responses: Responses, limit: int | None) -> None:
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - always the case for an async client
        self._inner = response.stream
        self._request = response.request
        self._responses = responses
        self._limit = limit
        # The limit applies to received bytes; a compressed body could grow a thousandfold afterwards.
        self._compressed = response.headers.get("content-encoding", "identity") != "identity"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._limit is not None and self._compressed:
            raise Unreadable("the server compressed a response although it was asked not to")
        size = 0
        try:
            async for chunk in self._inner:
                size += len(chunk)
                if self._limit is not None and size > self._limit:
                    raise Unreadable(f"more than {self._limit:,} bytes, which is max_message_bytes")
                yield chunk
        except httpx2.TransportError as error:
            self._responses.note(self._request, Broken(reason_of(error), unsent=False))
            if self._limit is not None:
                raise Unreadable(reason_of(error)) from error
            # A broken event stream simply ends: the SDK then requests the rest if it can.

    async def aclose(self) -> None:
        await self._inner.aclose()
