"""Reserves standard input and output for the protocol, isolating them from other readers and writers."""

import os
import stat
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from code_mcp_client.framing import Line, LineBuffer

READ_SIZE = 256 * 1024
WRITE_SIZE = 256 * 1024
MOST_WAITING = 4 * 2**20
"""Bytes that may be queued for a slow client before senders have to wait."""


@contextmanager
def taken_streams() -> Iterator[tuple[int, int]]:
    """Yield descriptors of standard input and output; everything else sees empty input and prints to stderr."""
    ours = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    sys.stdout.flush()
    os.dup2(2, 1)
    try:
        yield ours
    finally:
        for number, descriptor in enumerate(ours):
            os.dup2(descriptor, number)
            os.close(descriptor)


async def read_lines(descriptor: int, first: deque[Line], buffer: LineBuffer) -> AsyncIterator[Line]:
    """Yield the lines in `first`, then those received, until the end.

    Reads without a thread, because waiting for a client must not keep the process from ending.
    """
    import anyio

    lines = first
    while True:
        while lines:
            yield lines.popleft()
        with suppress(PermissionError):  # a regular file, which is always readable
            await anyio.wait_readable(descriptor)
        try:
            data = os.read(descriptor, READ_SIZE)
        except BlockingIOError:  # another process reads it too
            continue
        except OSError:  # the terminal is gone
            data = b""
        if not data:
            break
        lines = buffer.feed(data)
    if (rest := buffer.finish()) is not None:
        yield rest


class LineWriter:
    """Writes lines in order, many with one call, without blocking the event loop.

    `put` never waits; `room` waits while a slow client has megabytes to read.
    """

    def __init__(self, descriptor: int) -> None:
        import anyio

        self._descriptor = descriptor
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._arrival = anyio.Event()
        self._drained = anyio.Event()
        self._broken = False
        kind = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind):
            os.set_blocking(descriptor, False)

    @property
    def waiting(self) -> int:
        """Number of bytes not written yet."""
        return 0 if self._broken else self._size

    def put(self, line: bytes) -> None:
        """Queue a line; does nothing if the client is gone."""
        if line and not self._broken:
            self._waiting.append(line)
            self._size += len(line)
            self._arrival.set()

    async def room(self) -> None:
        """Wait until little is queued or the client is gone."""
        while self._size > MOST_WAITING and not self._broken:
            await self._drained.wait()

    async def run(self) -> None:
        """Write queued lines until cancelled or the client is gone."""
        import anyio

        while True:
            await self._arrival.wait()
            self._arrival = anyio.Event()
            while self._waiting and not self._broken:
                data = self._next()
                try:
                    while data and not self._broken:
                        with suppress(PermissionError):  # a regular file, which is always writable
                            await anyio.wait_writable(self._descriptor)
                        data = data[self._write(data) :]
                finally:
                    if data and not self._broken:  # cancelled; `flush` continues in the middle of a line
                        self._waiting.appendleft(bytes(data))
            if self._broken:
                return

    def flush(self) -> None:
        """Write as much as possible without waiting, as the last step before the end."""
        while self._waiting and not self._broken:
            data = self._next()
            written = self._write(data)
            if written < len(data):
                return

    def _next(self) -> memoryview:
        parts: list[bytes] = []
        size = 0
        while self._waiting and size < WRITE_SIZE:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))

    def _write(self, data: memoryview) -> int:
        import anyio

        try:
            written = os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            self._broken = True
            self._waiting.clear()
            self._drained.set()
            return 0
        self._size -= written
        if self._size <= MOST_WAITING:
            self._drained.set()
            self._drained = anyio.Event()
        return written
