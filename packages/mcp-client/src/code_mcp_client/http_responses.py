"""What every HTTP response goes through before the SDK reads it: a size limit and a look at its status."""

import json
from collections import OrderedDict
from collections.abc import AsyncIterator

import httpx2

from code_mcp_client.messages import RequestId

_MOST_REMEMBERED = 1_000
SESSION_HEADER = "mcp-session-id"


class TooLong(httpx2.StreamError):
    """A response is longer than the limit; of a kind that the SDK turns into an answer to the request."""


class Responses:
    """A response hook for an `httpx2.AsyncClient`.

    Attributes:
        session_id: of the MCP session, as the server last gave it.

    Args:
        limit: most bytes of a response that is not a stream of events, and of one event.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._statuses: OrderedDict[RequestId, int] = OrderedDict()
        self.session_id: str | None = None

    async def hook(self, response: httpx2.Response) -> None:
        """Note the status of a refused request and bound the body."""
        self.session_id = response.headers.get(SESSION_HEADER, self.session_id)
        if response.status_code >= 400:
            self._note(response)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            response.stream = _Bounded(response, self._limit)

    def take_status(self, request_id: RequestId) -> int | None:
        """The HTTP status that refused a request, once."""
        return self._statuses.pop(request_id, None)

    def _note(self, response: httpx2.Response) -> None:
        try:
            sent = json.loads(response.request.content)
        except (ValueError, httpx2.RequestNotRead):  # a GET or DELETE
            return
        if isinstance(sent, dict) and "method" in sent and isinstance(sent.get("id"), int | str):
            self._statuses[sent["id"]] = response.status_code
            while len(self._statuses) > _MOST_REMEMBERED:
                self._statuses.popitem(last=False)


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, response: httpx2.Response, limit: int) -> None:
        self._inner = response.stream
        self._limit = limit
        # The limit counts what is received; a compressed body could grow a thousandfold after it.
        self._compressed = response.headers.get("content-encoding", "identity") != "identity"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._compressed:
            raise TooLong("the server compressed a response although it was asked not to")
        assert isinstance(self._inner, httpx2.AsyncByteStream)  # noqa: S101 - an async client's always is
        size = 0
        async for chunk in self._inner:
            size += len(chunk)
            if size > self._limit:
                raise TooLong(f"more than {self._limit:,} bytes, which is max_message_bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()  # type: ignore[union-attr]  # as above
