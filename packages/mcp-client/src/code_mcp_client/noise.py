"""Limits a server's output of text other than MCP messages."""

import logging
import time

from code_mcp_client.errors import NoisyServer

MOST_LINES = 5_000
MOST_BYTES = 64 * 2**20
SECONDS = 5.0
"""The period for the limits on noise; a server that logs to stdout by mistake stays below them."""
_EXCERPT = 80

logger = logging.getLogger("code_mcp_client")


class NoiseCounter:
    """Counts output that is not a message.

    Args:
        server: the server's name, for the error.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._total = 0
        self._lines = 0
        self._bytes = 0
        self._since = 0.0

    def count(self, size: int, excerpt: str) -> None:
        """Count a line of `size` bytes that is not a message; the first, second, fourth, … is logged.

        Raises:
            NoisyServer: there was too much noise recently.
        """
        self._total += 1
        if self._total & (self._total - 1) == 0:
            logger.warning(
                "MCP server %r printed something other than an MCP message on its stdout (%d so far): %r",
                *(self._server, self._total, excerpt),
            )
        if not self._lines:
            self._since = time.monotonic()
        self._lines += 1
        self._bytes += size
        if self._lines >= MOST_LINES or self._bytes >= MOST_BYTES:
            if time.monotonic() - self._since < SECONDS:
                raise NoisyServer(self._server, excerpt[:_EXCERPT])
            self._lines = self._bytes = 0
