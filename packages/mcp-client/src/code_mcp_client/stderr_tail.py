"""Keeps the end of what a server writes to stderr, and reads the rest so that it never blocks."""

import logging
import os

import anyio

_KEPT = 16 * 1024
_READ = 64 * 1024

logger = logging.getLogger("code_mcp_client")


class Tail:
    """The last 16 KiB of what it is given."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, chunk: bytes) -> None:
        """Take the next bytes; they are logged as well."""
        self._kept += chunk
        del self._kept[:-_KEPT]
        logger.debug("an MCP server wrote to its stderr: %s", chunk.decode("utf-8", "replace"))

    def text(self) -> str:
        """The kept text; invalid UTF-8 is replaced."""
        return self._kept.decode("utf-8", "replace").strip()


class StderrTail(Tail):
    """The last 16 KiB of a pipe.

    Args:
        fd: the pipe's non-blocking read end; stays the caller's to close.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._draining = False

    async def drain(self) -> None:
        """Read until the pipe ends; does nothing while another task does so."""
        if self._draining:
            return
        self._draining = True
        try:
            while self.read_available():
                await anyio.wait_readable(self._fd)
        finally:
            self._draining = False

    def read_available(self) -> bool:
        """Take what the pipe holds now, at most 4 MiB; False once it has ended."""
        for _ in range(64):
            try:
                chunk = os.read(self._fd, _READ)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            self.add(chunk)
        return True
