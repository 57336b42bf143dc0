"""What the dispatcher needs of a server: its bytes, a way to write to it, and why it ended."""

from collections.abc import Callable
from typing import Protocol

ErrorFactory = Callable[[], Exception]
"""Makes one exception per waiter: one raised in several tasks would mix their tracebacks."""


class LineWriter(Protocol):
    """Writes whole lines: one that was begun is finished, whatever becomes of its sender."""

    @property
    def has_room(self) -> bool:
        """Whether `send` does not wait."""

    async def send(self, line: bytes) -> None:
        """Write or queue `line`; waits while much is queued.

        Raises:
            BrokenPipeError: nobody reads any more.
        """

    def send_nowait(self, line: bytes) -> None:
        """Write or queue `line` at once, without regard to how much is queued.

        Raises:
            BrokenPipeError: nobody reads any more.
        """


class Channel(Protocol):
    """A running server."""

    @property
    def name(self) -> str:
        """What it is called in errors."""

    @property
    def writer(self) -> LineWriter:
        """Where lines to the server go."""

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Call `deliver` with the server's output as it comes, until it ends."""

    async def why_ended(self) -> ErrorFactory:
        """Called once the output has ended: makes the error that every request gets."""
