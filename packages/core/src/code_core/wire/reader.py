"""What reads a model's answer, whatever the wire."""

from typing import Any, Protocol

from code_core.wire.response_events import ResponseEvent
from code_core.wire.sse import SseEvent


class Reader(Protocol):
    """Turns one answer's server-sent events into response events: feed it until `finished`, then take what `end` returns."""

    @property
    def finished(self) -> bool:
        """Whether nothing that follows matters."""
        ...

    @property
    def whole(self) -> bool:
        """Whether the answer is complete; what may follow, such as the usage, can be done without."""
        ...

    def feed(self, event: SseEvent) -> list[ResponseEvent]:
        """The response events in `event`.

        Raises:
            StreamBroken: it cannot be read, and leaving it out would change the answer.
        """
        ...

    def read(self, event: dict[str, Any]) -> list[ResponseEvent]:
        """The response events in a decoded event."""
        ...

    def end(self) -> list[ResponseEvent]:
        """What is left to report.

        Raises:
            ModelError: the answer is not whole, or empty; the subclass says whether to ask again.
        """
        ...
