"""Starts confined commands, and reports changes that the sandbox could not prevent."""

import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import anyio

from code_core.process.guardian import ended
from code_core.process.spawn import PIPES, Exit, OnOutput, Streams, follow, require_program, start_command
from code_core.sandbox.bubblewrap import children_of
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.sandbox import Sandbox
from code_core.sandbox.watch import changed, seen_in, watched

KILL_SECONDS = 2.0
"""How long the kernel may take to end a namespace whose first process was killed."""

OnStart = Callable[[subprocess.Popen[bytes]], None]
OnChanged = Callable[[Sequence[Path]], Awaitable[None]]


async def run_confined(
    sandbox: Sandbox,
    argv: Sequence[str],
    confinement: Confinement,
    cwd: Path,
    environment: Mapping[str, str],
    *,
    time_limit: float,
    on_start: OnStart,
    on_output: OnOutput,
    on_changed: OnChanged,
) -> Exit:
    """Run `argv` with the permissions in `confinement` and follow it to its end.

    `on_start` receives the process. See `confined_process` for `on_changed`.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    async with confined_process(
        sandbox, argv, confinement, cwd, environment, on_changed=on_changed
    ) as process:
        on_start(process)
        return await follow(process, time_limit=time_limit, on_output=on_output, terminate=sandbox.terminate)


@asynccontextmanager
async def confined_process(
    sandbox: Sandbox,
    argv: Sequence[str],
    confinement: Confinement,
    cwd: Path,
    environment: Mapping[str, str],
    *,
    on_changed: OnChanged,
    streams: Streams = PIPES,
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Start `argv` with the permissions in `confinement`; the caller waits for its end within the context.

    `on_changed` receives the protected paths that the command changed anyway, even on
    cancellation.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    exposed = watched(confinement, protects=sandbox.protects)
    before = await anyio.to_thread.run_sync(seen_in, exposed)
    try:
        with placeholders(confinement) if sandbox.protects else nullcontext(confinement) as ready:
            process = _start(sandbox, argv, ready, cwd, environment, streams)
            try:
                async with _whole_namespace(process, sandbox):
                    yield process
            finally:
                ended(process)
    finally:
        with anyio.CancelScope(shield=True):
            if paths := changed(before, await anyio.to_thread.run_sync(seen_in, exposed)):
                await on_changed(paths)


@asynccontextmanager
async def _whole_namespace(process: subprocess.Popen[bytes], sandbox: Sandbox) -> AsyncIterator[None]:
    """Wait on exit until every process of the command's PID namespace has ended.

    When bubblewrap itself is killed, the kernel ends the namespace only after it, process by
    process; the namespace's first process ends last.
    """
    first = _first_process(process.pid) if sandbox.mechanism == "bwrap" else None
    if first is None:
        yield
        return
    try:
        yield
    finally:
        try:
            with anyio.move_on_after(KILL_SECONDS, shield=True):
                await anyio.wait_readable(first)
        finally:
            os.close(first)


def _first_process(bubblewrap: int) -> int | None:
    """A descriptor of the only child of bubblewrap; None if it has ended, or where the kernel names no children."""
    try:
        first = next(iter(children_of(bubblewrap)), None)
        return None if first is None else os.pidfd_open(first)
    except OSError:
        return None


def _start(
    sandbox: Sandbox,
    argv: Sequence[str],
    confinement: Confinement,
    cwd: Path,
    environment: Mapping[str, str],
    streams: Streams,
) -> subprocess.Popen[bytes]:
    require_program(argv[0], cwd, environment)
    if streams is PIPES:
        return sandbox.start(argv, confinement, cwd, environment)
    with sandbox.confined(argv, confinement, cwd, environment) as launch:
        return start_command(launch.argv, cwd, launch.environment, launch.fds, streams)
