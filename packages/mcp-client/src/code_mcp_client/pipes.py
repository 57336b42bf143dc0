"""Reading and writing a server's pipes without blocking the event loop."""

import asyncio
import math
import os
import time
from collections import deque
from collections.abc import Callable

import anyio

_QUEUE_LIMIT = 1024 * 1024
_MOST_PER_TURN = 1024 * 1024
_MANY_LINES = 64
_PIECE = 8 * 1024
_SECONDS_PER_TURN = 0.003
"""How long a server's messages may block the event loop, except for a single long one."""


class PipeReader:
    """Reads chunks from a pipe and passes them on as they arrive.

    Registers with asyncio's loop directly: reading as soon as the loop reports data, instead of waking
    a task to read, saves a third of the time of a small call.

    Args:
        fd: the pipe's non-blocking read end; the caller closes it.
        capacity: the maximum number of bytes per read.
    """

    def __init__(self, fd: int, capacity: int) -> None:
        self._fd = fd
        self._capacity = capacity
        self._deliver: Callable[[bytes], None] | None = None
        self._ended: anyio.Event | None = None
        self._failure: Exception | None = None
        self._most: int | None = None  # remaining bytes to read, once `drain` was called
        self._chunk = b""  # partly delivered, up to `_at`
        self._at = 0

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Pass every chunk to `deliver`; returns when the pipe has ended or `drain` was called.

        Processes about 1 MiB per turn of the loop, and as many small messages as fit into 3 ms, so that a
        server that never pauses cannot monopolise the loop.

        Raises:
            Exception: any exception from `deliver`.
        """
        loop = asyncio.get_running_loop()
        self._deliver, self._ended = deliver, anyio.Event()
        loop.add_reader(self._fd, self._read_some)
        try:
            if self._most is not None:
                self.drain(self._most)
            await self._ended.wait()
        finally:
            loop.remove_reader(self._fd)
            self._deliver = None
        if self._failure is not None:
            raise self._failure

    def drain(self, most: int) -> None:
        """Pass on the current contents of the pipe, up to `most` bytes, then let `pump` return."""
        self._most = most
        self._hand_over(math.inf)
        while most > 0 and (size := self._read()):
            most -= size
        if self._ended is not None:
            self._end()

    def _read_some(self) -> None:
        left, latest = _MOST_PER_TURN, time.monotonic() + _SECONDS_PER_TURN
        while (
            left > 0 and (size := self._read()) == self._capacity
        ):  # a short read means that the pipe is empty
            left -= size
            if self._chunk or time.monotonic() > latest:
                break
        if self._chunk:
            self._pause()

    def _read(self) -> int:
        """Deliver one chunk, or start to; return its size, or 0 if nothing was read."""
        if self._deliver is None:
            return 0
        try:
            chunk = os.read(self._fd, self._capacity)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._fail(error)
            return 0
        size = len(chunk)
        if not chunk:
            self._end()
        elif self._most is None and chunk.count(b"\n") > _MANY_LINES:
            self._chunk, self._at = chunk, 0
            self._hand_over(_SECONDS_PER_TURN)
        else:
            self._give(chunk)
        return size

    def _hand_over(self, seconds: float) -> None:
        """Deliver as much of the chunk as fits into `seconds`."""
        latest = time.monotonic() + seconds
        while self._chunk and time.monotonic() <= latest:
            piece = self._chunk[self._at : self._at + _PIECE]
            self._at += _PIECE
            if self._at >= len(self._chunk):
                self._chunk = b""
            self._give(piece)

    def _give(self, data: bytes) -> None:
        if self._deliver is None:
            return
        try:
            self._deliver(data)
        except Exception as error:  # noqa: BLE001 - raised again in the waiting task
            self._fail(error)

    def _pause(self) -> None:
        """Yield to other tasks before delivering the rest of the chunk."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._fd)
        loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._hand_over(_SECONDS_PER_TURN)
        if self._deliver is None:
            return
        if self._chunk:
            self._pause()
        else:
            asyncio.get_running_loop().add_reader(self._fd, self._read_some)

    def _fail(self, error: Exception) -> None:
        self._failure, self._chunk = error, b""
        self._end()

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._deliver = None
        if self._ended is not None:
            self._ended.set()


class PipeWriter:
    """Writes whole lines to a pipe: each is written completely unless the pipe breaks.

    A line is written directly if there is room. Otherwise it is queued, so that a sender cancelled in
    the middle of a line does not leave it incomplete.

    Args:
        fd: the pipe's non-blocking write end; the caller closes it.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._has_lines = anyio.Event()
        self._has_room = anyio.Event()
        self._broken = False

    @property
    def has_room(self) -> bool:
        """Whether `send` would not wait."""
        return self._broken or self._queued <= _QUEUE_LIMIT

    async def send(self, line: bytes) -> None:
        """Write or queue `line`; waits while more than 1 MiB is queued.

        Raises:
            BrokenPipeError: the other end is closed.
        """
        while not self.has_room:
            await self._has_room.wait()
        self.send_nowait(line)

    def send_nowait(self, line: bytes) -> None:
        """Write or queue `line` immediately, however much is queued.

        Raises:
            BrokenPipeError: the other end is closed.
        """
        if self._broken:
            raise BrokenPipeError
        written = 0 if self._queue else self._write(line)
        if written < len(line):
            self._queue.append(memoryview(line)[written:])
            self._queued += len(line) - written
            self._has_lines.set()

    async def drained(self) -> None:
        """Wait until the queue is empty; requires a running `flush_forever`."""
        while self._queue:
            await self._has_room.wait()

    def close(self) -> None:
        """Stop writing; call this before closing the pipe, whose descriptor may be reused."""
        self._broken = True
        self._queue.clear()
        self._queued = 0
        self._signal_room()
        self._has_lines.set()

    async def flush_forever(self) -> None:
        """Write queued lines as the pipe accepts them; ends when the pipe breaks or is closed."""
        while not self._broken:
            await self._has_lines.wait()
            while self._queue:
                try:
                    await anyio.wait_writable(self._fd)
                    written = self._write(self._queue[0])
                except (BrokenPipeError, anyio.ClosedResourceError):
                    break
                self._queued -= written
                if written < len(self._queue[0]):
                    self._queue[0] = self._queue[0][written:]
                else:
                    self._queue.popleft()
                if self._queued <= _QUEUE_LIMIT:
                    self._signal_room()
            if not self._broken:
                self._has_lines = anyio.Event()

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except (BrokenPipeError, ConnectionResetError):  # the latter from a socket
            self.close()
            raise BrokenPipeError from None

    def _signal_room(self) -> None:
        self._has_room.set()
        self._has_room = anyio.Event()
