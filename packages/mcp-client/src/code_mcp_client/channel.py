"""The interface between the dispatcher and a server: its output, a writer, and why it ended."""

from collections.abc import Callable
from typing import Protocol

ErrorFactory = Callable[[], Exception]
"""Creates one exception per waiter, because one raised in several tasks would mix their tracebacks."""


class LineWriter(Protocol):
    """Writes whole lines: a line that was begun is completed even if its sender is cancelled."""

    @property
    def has_room(self) -> bool:
        """Whether `send` would not wait."""

    async def send(self, line: bytes) -> None:
        """Write or queue `line`; waits while much is queued.

        Raises:
            BrokenPipeError: the other end is closed.
        """

    def send_nowait(self, line: bytes) -> None:
        """Write or queue `line` immediately, however much is queued.

        Raises:
            BrokenPipeError: the other end is closed.
        """


class Channel(Protocol):
    """A running server."""

    @property
    def name(self) -> str:
        """The server's name in errors."""

    @property
    def writer(self) -> LineWriter:
        """Writes lines to the server."""

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Pass the server's output to `deliver` as it arrives, until it ends."""

    async def why_ended(self) -> ErrorFactory:
        """Return a factory for the error that every request gets; called once the output has ended."""
