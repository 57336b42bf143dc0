"""A running server over stdio: its channel, stderr and end."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import anyio

from code_mcp_client.errors import ServerExited
from code_mcp_client.family import ProcessFamily
from code_mcp_client.guard import ParentDeathGuard
from code_mcp_client.launch import Launched, ServerCommand, launch
from code_mcp_client.pipes import PipeReader, PipeWriter
from code_mcp_client.stderr_tail import StderrTail
from code_mcp_client.stopping import stop_server

_MOST_DISCARDED = 64 * 2**20
_STATUS_SECONDS = 0.03  # wait for an exit status once the output has ended

logger = logging.getLogger("code_mcp_client")


@asynccontextmanager
async def running_server(command: ServerCommand, capacity: int) -> AsyncIterator["ServerProcess"]:
    """Start a server, and stop it with everything it started when the context ends.

    Stopping closes its stdin, waits 2 s, sends SIGTERM, waits 2 s, and sends SIGKILL.

    Raises:
        ServerStartError: see `launch`.
    """
    launched = await launch(command)
    server = ServerProcess(command.program, launched, capacity)
    try:
        async with anyio.create_task_group() as tasks:
            try:
                tasks.start_soon(server.watch)
                tasks.start_soon(server.writer.flush_forever)
                yield server
            finally:
                with anyio.CancelScope(shield=True):
                    await server.stop()
                tasks.cancel_scope.cancel()
    finally:
        server.close_pipes()


class ServerProcess:
    """One server: its output, a writer for its input, and why it ended.

    Attributes:
        name: the server's name in errors.
        writer: writes to the server's stdin.
    """

    def __init__(self, name: str, launched: Launched, capacity: int) -> None:
        self.name = name
        self._process = launched.process
        self._launched = launched
        self._open_pipes = {launched.stdin, launched.stdout, launched.stderr}
        # A read cannot return more than the pipe holds, and requesting more costs an allocation.
        self._reader = PipeReader(launched.stdout, min(capacity, launched.output_size))
        self.writer = PipeWriter(launched.stdin)
        self._stderr = StderrTail(launched.stderr)
        self._watching = anyio.CancelScope(shield=True)
        self._exited = anyio.Event()
        self._family = ProcessFamily(launched.process.pid, launched.mark)
        self._guard = _guard(launched.process.pid, launched.mark)

    @property
    def pid(self) -> int:
        """The server's process id, which is also its process group and session id."""
        return self._process.pid

    async def pump(self, deliver: Callable[[bytes], None]) -> None:
        """Pass the server's output to `deliver` as it arrives, until it ends."""
        await self._reader.pump(deliver)

    async def why_ended(self) -> Callable[[], ServerExited]:
        """Return a factory for the error that every request gets; called once the output has ended."""
        with anyio.move_on_after(_STATUS_SECONDS):
            await self._exited.wait()
        self._stderr.read_available()
        code, tail = self._process.returncode, self._stderr.text()
        return lambda: ServerExited(self.name, code, tail)

    async def watch(self) -> None:
        """Detect the exit and drain stderr, until the server has been stopped."""
        with self._watching:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._stderr.drain)
                await self._process.wait()
                self._exited.set()
                # A grandchild may hold the pipe open, but it already contains everything that the server wrote.
                self._reader.drain(2 * self._launched.output_size)
                await anyio.to_thread.run_sync(self._family.leader_ended)
                if not await anyio.to_thread.run_sync(self._family.alive):
                    await self._release_guard()

    async def stop(self) -> None:
        """Stop the server and its descendants; returns when they are gone, after at most about 6 s."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._discard_output)
            tasks.start_soon(self._stderr.drain)  # `watch` is already gone when the event loop is ending
            await stop_server(self.name, self._process, self._family, self._close_stdin)
            tasks.cancel_scope.cancel()
        self._watching.cancel()
        await self._release_guard()

    def close_pipes(self) -> None:
        """Close our ends of the pipes."""
        for pipe in tuple(self._open_pipes):
            self._close(pipe)

    async def _discard_output(self) -> None:
        """Let a server that is still writing finish, within a limit for one that never stops."""
        left = _MOST_DISCARDED

        def discard(chunk: bytes) -> None:
            nonlocal left
            left -= len(chunk)
            if left < 0:
                raise OSError

        with suppress(OSError):
            await self._reader.pump(discard)

    async def _close_stdin(self) -> None:
        self.writer.close()
        self._close(self._launched.stdin)

    async def _release_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            await guard.release()

    def _close(self, pipe: int) -> None:
        if pipe in self._open_pipes:
            self._open_pipes.discard(pipe)
            anyio.notify_closing(pipe)
            os.close(pipe)


def _guard(group: int, mark: str) -> ParentDeathGuard | None:
    try:
        return ParentDeathGuard(group, mark)
    except OSError as error:
        logger.warning("MCP server process %d may outlive this one if that is killed: %s", group, error)
        return None
