"""Lines of standard input, read without a thread, so that nothing keeps the program from ending."""

import os
from contextlib import suppress

import anyio

READ_SIZE = 64 * 1024


class LineInput:
    """Reads lines from a file descriptor; waiting for one can be cancelled."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""
        self._ended = False

    async def line(self) -> str | None:
        """The next line without its end; None when there is none left."""
        while b"\n" not in self._buffer and not self._ended:
            chunk = await self._read()
            self._buffer += chunk
            self._ended = not chunk
        if not self._buffer:
            return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")

    async def _read(self) -> bytes:
        with suppress(PermissionError):  # of a regular file, which is always readable
            await anyio.wait_readable(self._fd)
        return os.read(self._fd, READ_SIZE)
