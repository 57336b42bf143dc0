"""A command that may outlive the call that started it: its terminal, its output and its end."""

import logging
import math
import os
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import TaskStatus

from code_core.frozen import frozen
from code_core.process.capture import Capture
from code_core.process.guardian import ended, start_guarded
from code_core.process.guardian_exec import end_all
from code_core.process.pty import pipe_line, terminal_line, with_terminal
from code_core.process.recent_bytes import RecentBytes
from code_core.process.spawn import (
    DRAIN_SECONDS,
    TERMINATE_SECONDS,
    Exit,
    Streams,
    end_group,
    exit_code,
    exited,
    require_program,
    terminate_group,
)
from code_core.protocol.policies import SandboxPolicy
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.run import OnChanged, confined_process
from code_core.sandbox.sandbox import Sandbox

_log = logging.getLogger("code_core")

RING = 2**20
"""Bytes of unread output kept for the model; older output remains only in the output file."""
READ_SIZE = 64 * 1024
MARK = "CODE_TERMINAL"
LONGEST_WRITE = 5.0
"""Seconds within which a program must accept input."""

OnChunk = Callable[[bytes], Awaitable[None]]


@frozen
class TerminalCommand:
    """A running command and its permissions.

    Attributes:
        command: the command as the user and the model see it.
        policy: the policy that confines it; None if unconfined.
    """

    command: Sequence[str]
    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    tty: bool
    policy: SandboxPolicy | None = None
    sandbox: Sandbox | None = None
    confinement: Confinement | None = None


@dataclass(slots=True, eq=False)
class TerminalSession:
    """Runs one command until it ends or is stopped.

    Attributes:
        whole: its complete output.
        on_chunk: receives its output while a call waits for it.
        end: how it ended; None while it runs.
        stopped: whether it was stopped rather than ending by itself.
        polls: how often it was polled.
    """

    id: int
    command: TerminalCommand
    whole: Capture
    on_changed: OnChanged
    on_chunk: OnChunk | None = None
    end: Exit | None = None
    stopped: bool = False
    polls: int = 0
    started: float = field(default_factory=time.perf_counter)
    finished: anyio.Event = field(default_factory=anyio.Event)
    _unread: RecentBytes = field(default_factory=lambda: RecentBytes(RING))
    _fd: int | None = None
    _mark: str | None = None
    _scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Start the command and follow it to its end; stopping or cancelling it also ends its descendants.

        Raises:
            SpawnError: before it is reported as started: the program or the directory cannot be used.
        """
        code: int | None = None
        try:
            with self._scope:
                async with AsyncExitStack() as stack:
                    process = await stack.enter_async_context(self._started())
                    task_status.started()
                    try:
                        await self._follow(process)
                    except BaseException:
                        self.stopped = True
                        with anyio.CancelScope(shield=True):
                            await self._hang_up(process)
                        raise
                    finally:
                        process.poll()
                        code = exit_code(process)
        finally:
            self.end = Exit(143 if code is None else code, time.perf_counter() - self.started)
            self.whole.close()
            self.finished.set()

    def stop(self) -> None:
        """Ask the command to end; `finished` is set when it has."""
        self._scope.cancel()

    async def wait(self, seconds: float) -> None:
        """Wait until the command ends, for at most `seconds`."""
        with anyio.move_on_after(seconds):
            await self.finished.wait()

    def take(self) -> tuple[str, int]:
        """Return the output since the last call, and the number of bytes dropped from it."""
        data, dropped = self._unread.take(whole=self.end is not None)
        return data.decode("utf-8", "replace"), dropped

    async def write(self, data: bytes) -> int:
        """Type `data`; return the number of bytes that the terminal accepted within 5 seconds."""
        written = 0
        with anyio.move_on_after(LONGEST_WRITE):
            while written < len(data) and self._fd is not None:
                try:
                    written += os.write(self._fd, data[written:])
                except BlockingIOError:
                    await anyio.wait_writable(self._fd)
                except OSError:  # it has just ended
                    break
        return written

    @asynccontextmanager
    async def _started(self) -> AsyncIterator[subprocess.Popen[bytes]]:
        command = self.command
        argv = with_terminal(command.argv) if command.tty else list(command.argv)
        require_program(command.argv[0], command.cwd, command.environment)
        async with AsyncExitStack() as stack:
            with terminal_line() if command.tty else pipe_line() as line:
                process = await stack.enter_async_context(self._process(argv, line.streams))
            self._fd = line.fd
            stack.callback(self._close)
            yield process

    @asynccontextmanager
    async def _process(self, argv: list[str], streams: Streams) -> AsyncIterator[subprocess.Popen[bytes]]:
        command = self.command
        if command.sandbox is not None and command.confinement is not None:
            async with confined_process(
                command.sandbox,
                argv,
                command.confinement,
                command.cwd,
                command.environment,
                on_changed=self.on_changed,
                streams=streams,
            ) as process:
                yield process
            return
        self._mark = f"{MARK}={secrets.token_hex(8)}"
        marked = dict([self._mark.split("=")])
        process = start_guarded(argv, command.cwd, {**command.environment, **marked}, streams)
        try:
            yield process
        finally:
            ended(process)

    async def _follow(self, process: subprocess.Popen[bytes]) -> None:
        """Read until the command ends, then read what is left."""
        async with anyio.create_task_group() as reader:
            reader.start_soon(self._read)
            await exited(process)
            await self._end_leftovers(process)
            reader.cancel_scope.deadline = anyio.current_time() + DRAIN_SECONDS

    async def _read(self) -> None:
        while self._fd is not None:
            try:
                chunk = os.read(self._fd, READ_SIZE)
            except BlockingIOError:
                await anyio.wait_readable(self._fd)
                continue
            except OSError:  # EIO: the other end of the terminal was closed
                return
            if not chunk:
                return
            self._unread.write(chunk)
            self.whole.write(chunk)
            if self.on_chunk is not None:
                await self.on_chunk(chunk)
            await anyio.lowlevel.checkpoint()

    async def _hang_up(self, process: subprocess.Popen[bytes]) -> None:
        """Close the terminal, which ends most programs, and kill those that ignore it."""
        if not (self.command.tty and await self._ends_without_terminal(process)):
            sandbox = self.command.sandbox
            await end_group(process, terminate_group if sandbox is None else sandbox.terminate)
        await self._end_leftovers(process)

    async def _ends_without_terminal(self, process: subprocess.Popen[bytes]) -> bool:
        self._close()
        with anyio.move_on_after(TERMINATE_SECONDS):
            await exited(process)
            return True
        return False

    async def _end_leftovers(self, process: subprocess.Popen[bytes]) -> None:
        """Kill remaining descendants before the command is reaped and its pid reused; a sandbox does so by itself."""
        if self._mark is not None:
            await anyio.to_thread.run_sync(end_all, self._mark.encode(), {process.pid})

    def _close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def bounded(value: float | None, default: float, least: float, most: float) -> float:
    """Convert milliseconds chosen by a model to seconds within limits."""
    chosen = default if value is None or math.isnan(value) else value
    return min(max(chosen, least), most) / 1000
