"""Limits the connections of clients without the token, because any local user may connect.

Each connection uses a file descriptor. Connections without a request are closed after some seconds,
or earlier, oldest first, if there are too many. Clients that send requests thus get through.
"""

from asyncio import BaseTransport, TimerHandle
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_WAITING = 32
"""Limit on connections without a request."""
ACCEPTED_AT_ONCE = 32
LONGEST_WAIT = 10.0
"""Time limit in seconds for the headers of the first request."""


class Connection(H11Protocol):
    """A connection with a time limit for its first request."""

    _deadline: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Start waiting; close the oldest waiting connection if there are too many."""
        super().connection_made(cast("Any", transport))
        self._deadline = self.loop.call_later(LONGEST_WAIT, self._give_up)
        waiting = [one for one in self.connections if isinstance(one, Connection) and one.waits]
        if len(waiting) > MOST_WAITING:
            min(waiting, key=lambda one: one.ends_at).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether no request has arrived and the connection is still open."""
        cycle: object = self.cycle  # None before the first request, whatever its type says
        return cycle is None and not self.transport.is_closing()

    @property
    def ends_at(self) -> float:
        """When the wait ends, on the event loop's clock."""
        return self._deadline.when() if self._deadline is not None else 0.0

    def _give_up(self) -> None:
        if self.waits:
            self.transport.abort()
