"""Commands that may outlive their calls, without a model that calls them."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio

from code_core.process.capture import Capture
from code_core.tools.terminal_session import TerminalCommand, TerminalSession

Body = Callable[[TerminalSession], Awaitable[None]]
Make = Callable[[], TerminalSession]
"""Sessions must be created in an event loop."""


async def unchanged(_paths: Any) -> None: ...


def session(
    folder: Path, *argv: str, tty: bool = False, limit: int = 40_000, cwd: Path | None = None, **more: Any
) -> Make:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = TerminalCommand(argv, argv, cwd or folder, environment, tty, **more)
    return lambda: TerminalSession(1, command, Capture(limit, folder / "whole"), unchanged)


def script(text: str, folder: Path, **more: Any) -> Make:
    return session(folder, "sh", "-c", text, **more)


def run(make: Make, body: Body) -> TerminalSession:
    """Start it, and cancel it after `body`."""

    async def main() -> TerminalSession:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                one = make()
                await tasks.start(one.run)
                await body(one)
                tasks.cancel_scope.cancel()
            return one
        raise AssertionError

    return anyio.run(main)


async def until(one: TerminalSession, expected: str) -> str:
    """Its output up to and including `expected`."""
    seen = ""
    with anyio.fail_after(10):
        while expected not in seen:
            seen += one.take()[0]
            await anyio.sleep(0.01)
    return seen
