"""Runs a command in its own process group and streams its output."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Literal

import anyio

from code_core.frozen import frozen

_log = logging.getLogger("code_core")

READ_SIZE = 8 * 1024
DRAIN_SECONDS = 2.0
LARGEST_PIPE = 2**20
TERMINATE_SECONDS = 1.0
TIMEOUT_EXIT_CODE = 124

Stream = Literal["stdout", "stderr"]
OnOutput = Callable[[Stream, bytes], Awaitable[None]]


@frozen
class Streams:
    """The descriptors to start a command with, as for `subprocess.Popen`."""

    stdin: int = subprocess.DEVNULL
    stdout: int = subprocess.PIPE
    stderr: int = subprocess.PIPE


PIPES = Streams()

Terminate = Callable[[subprocess.Popen[bytes]], None]
"""Asks a command that is not reaped yet to end."""


def terminate_group(process: subprocess.Popen[bytes]) -> None:
    """Send SIGTERM to the process group of `process`.

    Raises:
        ProcessLookupError: none of its processes are left.
        PermissionError: it belongs to another user.
    """
    os.killpg(process.pid, signal.SIGTERM)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)


class SpawnError(Exception):
    """The command could not be started; `exit_code` is what a shell would report."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@frozen
class Exit:
    """How a command ended: its exit code (128 + n for signal n, 124 for a timeout) and its seconds."""

    code: int
    seconds: float
    timed_out: bool = False


async def run_command(
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    time_limit: float,
    on_output: OnOutput,
) -> Exit:
    """Start `argv` and follow it to its end.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    return await follow(start_command(argv, cwd, environment), time_limit=time_limit, on_output=on_output)


async def follow(
    process: subprocess.Popen[bytes],
    *,
    time_limit: float,
    on_output: OnOutput,
    terminate: Terminate = terminate_group,
) -> Exit:
    """Wait for a started command to end and report its output in chunks of at most 8 KiB.

    After it exits, its pipes are read for at most 2 more seconds, because a background process may
    hold them open. On timeout or cancellation, the command is ended: `terminate`, one second, SIGKILL.
    """
    started = time.perf_counter()
    _log.info("process %d: started", process.pid)
    try:
        timed_out = await _communicate(process, time_limit, on_output, terminate)
    except BaseException:
        with anyio.CancelScope(shield=True):
            await end_group(process, terminate)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        process.poll()  # reaps
        took = time.perf_counter() - started
        _log.info("process %d: ended with %s after %.3fs", process.pid, process.returncode, took)
    seconds = time.perf_counter() - started
    if timed_out:
        return Exit(TIMEOUT_EXIT_CODE, seconds, timed_out=True)
    code = exit_code(process)
    return Exit(TIMEOUT_EXIT_CODE if code is None else code, seconds)


def start_command(
    argv: Sequence[str],
    cwd: Path,
    environment: Mapping[str, str],
    fds: Sequence[int] = (),
    streams: Streams = PIPES,
    program: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in its own session, with pipes for its output unless `streams` says otherwise.

    It inherits no descriptors other than those and `fds`. `program` is the file to run; `argv[0]` is looked
    up on PATH if it is None.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    if not argv or not argv[0]:
        raise SpawnError("the command is empty", 127)
    _check_directory(cwd)
    try:
        return subprocess.Popen(
            list(argv),
            executable=program,
            cwd=cwd,
            env=dict(environment),
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            bufsize=0,
            pass_fds=fds,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise SpawnError(f"{argv[0]}: command not found", 127) from None
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SpawnError(f"{argv[0]}: cannot be run: {reason}", 126) from error


def require_program(name: str, cwd: Path, environment: Mapping[str, str]) -> None:
    """Check that a command could be started, if another program will start it.

    Raises:
        SpawnError: the program or the directory does not exist or is not accessible.
    """
    import shutil  # slow, and needed only below a sandbox

    _check_directory(cwd)
    path = environment.get("PATH", os.defpath)
    try:
        found = (cwd / name).exists() if "/" in name else shutil.which(name, path=path)
    except OSError as error:
        raise SpawnError(f"{name}: cannot be run: {error.strerror}", 126) from error
    if not found:
        raise SpawnError(f"{name}: command not found", 127)


def _check_directory(cwd: Path) -> None:
    try:
        if cwd.is_dir():
            return
    except OSError as error:
        raise SpawnError(f"the working directory cannot be entered: {error.strerror}", 126) from error
    raise SpawnError(f"the working directory {cwd} does not exist", 126)


async def _communicate(
    process: subprocess.Popen[bytes], time_limit: float, on_output: OnOutput, terminate: Terminate
) -> bool:
    """Read until the command ends, then what is left in its pipes; return whether it timed out."""
    async with anyio.create_task_group() as readers:
        readers.start_soon(_read, process.stdout, "stdout", on_output)
        readers.start_soon(_read, process.stderr, "stderr", on_output)
        with anyio.move_on_after(time_limit) as clock:
            await exited(process)
        if clock.cancelled_caught:
            await end_group(process, terminate)
        readers.cancel_scope.deadline = anyio.current_time() + DRAIN_SECONDS
    # Output may be left over if the consumer was slow.
    await _read(process.stdout, "stdout", on_output, most=LARGEST_PIPE)
    await _read(process.stderr, "stderr", on_output, most=LARGEST_PIPE)
    return clock.cancelled_caught


async def _read(pipe: IO[bytes] | None, name: Stream, on_output: OnOutput, most: int | None = None) -> None:
    """Pass on output until the pipe closes; with `most`, only what is available, up to that many bytes."""
    assert pipe is not None  # noqa: S101 - every command has pipes
    fd = pipe.fileno()
    os.set_blocking(fd, False)
    taken = 0
    while most is None or taken < most:
        try:
            chunk = os.read(fd, READ_SIZE)
        except BlockingIOError:
            if most is not None:
                return
            await anyio.wait_readable(fd)
            continue
        if not chunk:
            return
        taken += len(chunk)
        with anyio.CancelScope(shield=True):
            await on_output(name, chunk)
        await anyio.lowlevel.checkpoint()


async def exited(process: subprocess.Popen[bytes]) -> None:
    """Wait until `process` has exited, without reaping it.

    While it is a zombie, its process group id cannot be reused, so the group can be signalled
    safely.
    """
    try:
        pidfd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        wait = partial(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        await anyio.to_thread.run_sync(wait, abandon_on_cancel=True)
        return
    try:
        await anyio.wait_readable(pidfd)
    finally:
        os.close(pidfd)


async def end_group(process: subprocess.Popen[bytes], terminate: Terminate = terminate_group) -> None:
    """End the group of a command that is not reaped yet: `terminate`, one second, SIGKILL, one second."""
    for end in (terminate, _kill_group):
        try:
            end(process)
        except (ProcessLookupError, PermissionError) as error:
            _log.warning("process group %d cannot be signalled: %s", process.pid, error)
        with anyio.move_on_after(TERMINATE_SECONDS):
            await exited(process)


def exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """Return the exit code of a finished process, 128 + n for signal n, or None while it runs."""
    code = process.returncode
    return code if code is None or code >= 0 else 128 - code
