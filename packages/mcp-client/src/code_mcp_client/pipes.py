"""Reading and writing a server's pipes without blocking the event loop."""

import asyncio
import os
from collections import deque
from collections.abc import Callable

import anyio

_QUEUE_LIMIT = 1024 * 1024
_MOST_PER_TURN = 1024 * 1024


class PipeReader:
    """Chunks from a pipe, handed over as they come.

    Registers with asyncio's loop directly: reading where the loop notices the bytes, instead
    of waking a task that then reads, saves a third of the time of a small call.

    Args:
        fd: the pipe's non-blocking read end; stays the caller's to close.
        capacity: most bytes per read.
    """

    def __init__(self, fd: int, capacity: int) -> None:
        self._fd = fd
        self._capacity = capacity
        self._deliver: Callable[[bytes], None] | None = None
        self._ended: anyio.Event | None = None
        self._failure: Exception | None = None
        self._most: int | None = None  # bytes still wanted, once `drain` was called

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Call `deliver` with every chunk; returns when the pipe has ended or `drain` was called.

        About 1 MiB per turn of the loop, so that a server that never pauses does not own it.

        Raises:
            Exception: what `deliver` raised.
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
        """Hand over what the pipe holds at this moment, up to `most` bytes, and let `pump` return, now or later."""
        self._most = most
        while most > 0 and (size := self._read()):
            most -= size
        if self._ended is not None:
            self._end()

    def _read_some(self) -> None:
        left = _MOST_PER_TURN
        while left > 0 and (size := self._read()) == self._capacity:  # less has emptied the pipe
            left -= size

    def _read(self) -> int:
        """Deliver one chunk; how many bytes it had, 0 when there was none."""
        if self._deliver is None:
            return 0
        try:
            chunk = os.read(self._fd, self._capacity)
            if chunk:
                self._deliver(chunk)
            else:
                self._end()
        except BlockingIOError:
            return 0
        except Exception as error:  # noqa: BLE001 - raised again where someone waits for it
            self._failure = error
            self._end()
            return 0
        return len(chunk)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self._deliver = None
        if self._ended is not None:
            self._ended.set()


class PipeWriter:
    """Whole lines into a pipe: each is written completely or, when the pipe breaks, never again.

    A line goes straight to the pipe when there is room. Otherwise it is queued, so that a
    sender that gives up in the middle of a line does not leave half of it behind.

    Args:
        fd: the pipe's non-blocking write end; stays the caller's to close.
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
        """Whether `send` does not wait."""
        return self._broken or self._queued <= _QUEUE_LIMIT

    async def send(self, line: bytes) -> None:
        """Write or queue `line`; waits while more than 1 MiB is queued.

        Raises:
            BrokenPipeError: nobody reads the pipe any more.
        """
        while not self.has_room:
            await self._has_room.wait()
        self.send_nowait(line)

    def send_nowait(self, line: bytes) -> None:
        """Write or queue `line` at once, without regard to how much is queued.

        Raises:
            BrokenPipeError: nobody reads the pipe any more.
        """
        if self._broken:
            raise BrokenPipeError
        written = 0 if self._queue else self._write(line)
        if written < len(line):
            self._queue.append(memoryview(line)[written:])
            self._queued += len(line) - written
            self._has_lines.set()

    async def drained(self) -> None:
        """Return when nothing is queued any more; `flush_forever` has to run meanwhile."""
        while self._queue:
            await self._has_room.wait()

    def close(self) -> None:
        """Write no more; to be called before the pipe is closed, whose number may soon be another file's."""
        self._broken = True
        self._queue.clear()
        self._queued = 0
        self._signal_room()
        self._has_lines.set()

    async def flush_forever(self) -> None:
        """Write what is queued as the pipe takes it; ends when the pipe breaks or is closed."""
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
        except (BrokenPipeError, ConnectionResetError):  # the second one of a socket
            self.close()
            raise BrokenPipeError from None

    def _signal_room(self) -> None:
        self._has_room.set()
        self._has_room = anyio.Event()
