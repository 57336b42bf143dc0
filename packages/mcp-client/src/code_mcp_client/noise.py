"""How much output other than MCP messages a server may print before it is given up."""

import logging
import time

from code_mcp_client.errors import NoisyServer

MOST_LINES = 5_000
MOST_BYTES = 64 * 2**20
SECONDS = 5.0
"""In which so many lines, or bytes, of noise are too many: a server that logs to stdout by mistake stays below."""
_EXCERPT = 80

logger = logging.getLogger("code_mcp_client")


class NoiseCounter:
    """Counts output that is not a message.

    Args:
        server: its name, for the error.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._total = 0
        self._lines = 0
        self._bytes = 0
        self._since = 0.0

    def heard(self, size: int, excerpt: str) -> None:
        """A line of `size` bytes was none; it is logged when it is the first, second, fourth, … .

        Raises:
            NoisyServer: there were too many of late.
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
