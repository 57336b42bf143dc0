"""Runs a confined command to its end, and looks after what the sandbox cannot protect."""

import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import anyio

from code_core.process.guardian import ended
from code_core.process.spawn import Exit, OnOutput, follow, require_program
from code_core.sandbox.confinement import Confinement
from code_core.sandbox.placeholders import placeholders
from code_core.sandbox.sandbox import Sandbox
from code_core.sandbox.watch import changed, seen_in, watched

OnStart = Callable[[subprocess.Popen[bytes]], None]


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
    on_changed: Callable[[Sequence[Path]], Awaitable[None]],
) -> Exit:
    """Run `argv` with the rights of `confinement` and follow it to its end.

    `on_start` gets the process that was started. `on_changed` gets the paths that the command has changed though they are to be protected, also
    when it was cancelled.

    Raises:
        SpawnError: the program or the directory is missing or may not be used.
    """
    require_program(argv[0], cwd, environment)
    exposed = watched(confinement, protects=sandbox.protects)
    before = await anyio.to_thread.run_sync(seen_in, exposed)
    try:
        with placeholders(confinement) if sandbox.protects else nullcontext(confinement) as ready:
            process = sandbox.start(argv, ready, cwd, environment)
            on_start(process)
            try:
                return await follow(process, time_limit=time_limit, on_output=on_output)
            finally:
                ended(process)
    finally:
        with anyio.CancelScope(shield=True):
            if paths := changed(before, await anyio.to_thread.run_sync(seen_in, exposed)):
                await on_changed(paths)
