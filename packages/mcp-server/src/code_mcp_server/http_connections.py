"""Bounds what clients without the token can hold: any local user may connect to a port of this machine.

A connection costs a file descriptor. One on which no request has come yet is closed after some
seconds, or earlier where too many wait, the oldest first. So those with a request get through.
"""

from asyncio import BaseTransport, TimerHandle
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_WAITING = 32
"""Connections on which no request has come yet."""
ACCEPTED_AT_ONCE = 32
LONGEST_WAIT = 10.0
"""Seconds until the headers of the first request must be there."""


class Connection(H11Protocol):
    """A connection that does not wait for its first request for long."""

    _deadline: TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin to wait; the oldest that waits goes where there are too many."""
        super().connection_made(cast("Any", transport))
        self._deadline = self.loop.call_later(LONGEST_WAIT, self._give_up)
        waiting = [one for one in self.connections if isinstance(one, Connection) and one.waits]
        if len(waiting) > MOST_WAITING:
            min(waiting, key=lambda one: one.ends_at).transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether no request has come yet, and the connection is still wanted."""
        cycle: object = self.cycle  # None before the first request, whatever its type says
        return cycle is None and not self.transport.is_closing()

    @property
    def ends_at(self) -> float:
        """When it is given up, on the clock of the event loop."""
        return self._deadline.when() if self._deadline is not None else 0.0

    def _give_up(self) -> None:
        if self.waits:
            self.transport.abort()
