"""An event loop whose clock jumps to the next timer as soon as nothing else can happen, so hours take no time."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread

THREAD_SECONDS = 0.05
"""How long to wait for running threads; a finished one wakes the loop sooner."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for files and threads in real time, and does not wait for timers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads: anyio.CapacityLimiter | None = None

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self.threads is not None and self.threads.borrowed_tokens:
            return super().select(THREAD_SECONDS)
        if timeout is None:
            raise RuntimeError("every task waits for something that cannot happen")
        self.now += timeout
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.waits = _JumpingSelector()
        super().__init__(self.waits)

    def time(self) -> float:
        return self.waits.now


def run_virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main`; a sleep ends when every task waits, and threads of anyio are waited for.

    Nothing but timers, tasks, files and these threads may move it on: processes do not.
    """

    async def started() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, _VirtualLoop)
        loop.waits.threads = anyio.to_thread.current_default_thread_limiter()
        await main()

    anyio.run(started, backend_options={"loop_factory": _VirtualLoop})
