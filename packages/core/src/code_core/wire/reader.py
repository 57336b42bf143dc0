"""The interface for reading a model's answer on any wire."""

from typing import Any, Protocol

from code_core.wire.response_events import ResponseEvent
from code_core.wire.sse import SseEvent


class Reader(Protocol):
    """Converts server-sent events to response events: feed it until `finished`, then take what `end` returns."""

    @property
    def finished(self) -> bool:
        """Whether all further events can be ignored."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer is complete; anything that may follow, such as the usage, is optional."""
        ...

    def feed(self, event: SseEvent) -> list[ResponseEvent]:
        """Return the response events in `event`.

        Raises:
            StreamBroken: it cannot be read, and skipping it would change the answer.
        """
        ...

    def read(self, event: dict[str, Any]) -> list[ResponseEvent]:
        """Return the response events in a decoded event."""
        ...

    def end(self) -> list[ResponseEvent]:
        """Return the remaining events.

        Raises:
            ModelError: the answer is incomplete or empty; the subclass says whether to retry.
        """
        ...
