"""Keeps the end of a server's stderr, and drains it so that it never blocks."""

import logging
import os

import anyio

_KEPT = 16 * 1024
_READ = 64 * 1024

logger = logging.getLogger("code_mcp_client")


class Tail:
    """The last 16 KiB of its input."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, chunk: bytes) -> None:
        """Add bytes, which are logged as well."""
        self._kept += chunk
        del self._kept[:-_KEPT]
        logger.debug("an MCP server wrote to its stderr: %s", chunk.decode("utf-8", "replace"))

    def text(self) -> str:
        """Return the kept text, with invalid UTF-8 replaced."""
        return self._kept.decode("utf-8", "replace").strip()


class StderrTail(Tail):
    """The last 16 KiB of a pipe.

    Args:
        fd: the pipe's non-blocking read end; the caller closes it.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._draining = False

    async def drain(self) -> None:
        """Read until the pipe ends; does nothing if another task is already reading."""
        if self._draining:
            return
        self._draining = True
        try:
            while self.read_available():
                await anyio.wait_readable(self._fd)
        finally:
            self._draining = False

    def read_available(self) -> bool:
        """Read the current contents of the pipe, at most 4 MiB; False once it has ended."""
        for _ in range(64):
            try:
                chunk = os.read(self._fd, _READ)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self.add(chunk)
        return True
