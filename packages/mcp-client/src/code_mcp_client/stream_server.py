"""A server over asyncio's process streams, for systems without POSIX pipes and sessions.

Reads at most 64 KiB at a time whatever the capacity, finds descendants only through their
parents, and has no guard that ends the server if this process is killed.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from code_mcp_client.errors import ServerExited
from code_mcp_client.family import ProcessFamily
from code_mcp_client.launch import ServerCommand, checked_program, spawn
from code_mcp_client.stderr_tail import Tail
from code_mcp_client.stopping import stop_server

_STATUS_SECONDS = 0.03
_QUEUE_LIMIT = 1024 * 1024


@asynccontextmanager
async def streamed_server(command: ServerCommand, capacity: int) -> AsyncIterator["StreamServer"]:
    """Start a server, and stop it with everything it started when the context ends.

    Raises:
        ServerStartError: see `launch`.
    """
    argv = [checked_program(command), *command.args]
    process = await spawn(argv, command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    server = StreamServer(command.program, process, capacity)
    async with anyio.create_task_group() as tasks:
        try:
            tasks.start_soon(server.drain_stderr)
            tasks.start_soon(server.writer.flush_forever)
            yield server
        finally:
            with anyio.CancelScope(shield=True):
                await server.stop()
            tasks.cancel_scope.cancel()


class StreamWriter:
    """Writes whole lines to a stream; they are queued, and one task writes them."""

    def __init__(self, stream: ByteSendStream) -> None:
        self._stream = stream
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._changed = anyio.Event()
        self._broken = False

    @property
    def has_room(self) -> bool:
        """Whether `send` would not wait."""
        return self._broken or self._queued <= _QUEUE_LIMIT

    async def send(self, line: bytes) -> None:
        """Queue `line`; waits while more than 1 MiB is queued."""
        while not self.has_room:
            await self._changed.wait()
        self.send_nowait(line)

    def send_nowait(self, line: bytes) -> None:
        """Queue `line` immediately."""
        if self._broken:
            raise BrokenPipeError
        self._queue.append(line)
        self._queued += len(line)
        self._signal()

    async def flush_forever(self) -> None:
        """Write queued lines; ends when the stream breaks."""
        try:
            while True:
                while self._queue:
                    line = self._queue.popleft()
                    await self._stream.send(line)
                    self._queued -= len(line)
                    self._signal()
                await self._changed.wait()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._broken = True
            self._signal()

    def _signal(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class StreamServer:
    """One server: its output, a writer for its input, and why it ended.

    Attributes:
        name: the server's name in errors.
        writer: writes to the server's stdin.
    """

    def __init__(self, name: str, process: Process, capacity: int) -> None:
        self.name = name
        self._process = process
        self._capacity = capacity
        self._tail = Tail()
        self._stdin, self._stdout, self._stderr = _streams(process)
        self.writer = StreamWriter(self._stdin)
        self._family = ProcessFamily(process.pid)

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Pass the server's output to `deliver` as it arrives, until it ends."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                deliver(await self._stdout.receive(self._capacity))

    async def why_ended(self) -> Callable[[], ServerExited]:
        """Return a factory for the error that every request gets; called once the output has ended."""
        with anyio.move_on_after(_STATUS_SECONDS):
            await self._process.wait()
        code, text = self._process.returncode, self._tail.text()
        return lambda: ServerExited(self.name, code, text)

    async def drain_stderr(self) -> None:
        """Drain stderr."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            while True:
                self._tail.add(await self._stderr.receive())

    async def stop(self) -> None:
        """Stop the server and its descendants; returns when they are gone, after at most about 6 s."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.pump, lambda _: None)
            await stop_server(self.name, self._process, self._family, self._close_stdin)
            tasks.cancel_scope.cancel()
        for stream in (self._stdout, self._stderr):
            await stream.aclose()

    async def _close_stdin(self) -> None:
        await self._stdin.aclose()


def _streams(process: Process) -> tuple[ByteSendStream, ByteReceiveStream, ByteReceiveStream]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise AssertionError("the process was started with pipes")  # pragma: no cover
    return process.stdin, process.stdout, process.stderr
