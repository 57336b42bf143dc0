"""Keeps the end of what a server writes to stderr, and reads the rest so that it never blocks."""

import os
from collections.abc import Callable

import anyio

_KEPT = 16 * 1024
_READ = 64 * 1024


class StderrTail:
    """The last 16 KiB of a pipe.

    Args:
        fd: the pipe's non-blocking read end; stays the caller's to close.
        on_text: called with each piece as it comes, for a log.
    """

    def __init__(self, fd: int, on_text: Callable[[str], None]) -> None:
        self._fd = fd
        self._on_text = on_text
        self._tail = bytearray()
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
            self._tail += chunk
            del self._tail[:-_KEPT]
            self._on_text(chunk.decode("utf-8", "replace"))
        return True

    def text(self) -> str:
        """What is kept; bytes that are no UTF-8 are replaced."""
        return self._tail.decode("utf-8", "replace").strip()
