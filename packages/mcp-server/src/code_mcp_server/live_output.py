"""Shows the output of running commands in time, even if no more follows."""

import math
from collections.abc import Awaitable, Callable

import anyio

from code_core.acp.updates import Update, UpdateTranslator
from code_core.protocol.events import Event
from code_core.session.events.log import EventReader

LONGEST_WITHHELD_SECONDS = 1.0


async def next_event(events: EventReader, deadline: float = math.inf) -> Event | None:
    """Return the next event; None at the end, or at `deadline` in the event loop's time."""
    if deadline == math.inf:  # the usual case, without the cost of a scope
        return await anext(events, None)
    with anyio.CancelScope(deadline=deadline):
        return await anext(events, None)
    return None


class LiveOutput:
    """Reads events, and between them sends the output that a translator has withheld for long enough.

    Only the reader of the events sends it, so an update never comes after the end of its command.

    Args:
        translator: translates these events.
        send: sends updates.
    """

    def __init__(self, translator: UpdateTranslator, send: Callable[[list[Update]], Awaitable[None]]) -> None:
        self._translator = translator
        self._send = send
        self._due = math.inf

    async def next_event(self, events: EventReader, deadline: float = math.inf) -> Event | None:
        """Return the next event; None at the end, or at `deadline` in the event loop's time."""
        while True:
            if not self._translator.withholds:
                self._due = math.inf
            elif self._due == math.inf:
                self._due = anyio.current_time() + LONGEST_WITHHELD_SECONDS
            event = await next_event(events, min(self._due, deadline))
            if event is not None or not self._due <= anyio.current_time() < deadline:
                return event
            await self._send(self._translator.withheld())
