"""Owns each connection in a separate task, so that any task may open, use and close it, in any order.

Cancel scopes must be left in the task that entered them. Without the separate task, a client would
have to be closed by the task that opened it, innermost first.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import anyio

from code_mcp_client.errors import ClientClosed

T = TypeVar("T")


class Owner(Generic[T]):
    """Enters an async context manager, holds it open, and leaves it, all in one background task.

    Requires asyncio, which lets a task outlive the block that started it.
    """

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._make = make
        self._opened = anyio.Event()
        self._closing = anyio.Event()
        self._task: asyncio.Task[None] | None = None
        self._value: T

    async def open(self) -> T:
        """Start the task and wait until the context manager is entered.

        Raises:
            Exception: any exception from entering. If this call is cancelled, entering is undone first.
        """
        if self._task is not None or self._closing.is_set():
            raise ClientClosed("an MCP client can be opened only once: create another one")
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mcp server owner")
        opened = asyncio.ensure_future(self._opened.wait())
        try:
            await asyncio.wait((self._task, opened), return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            self._task.cancel()
            await self._finished()
            raise
        finally:
            opened.cancel()
        if self._task.done():
            task, self._task = self._task, None
            self._closing.set()
            task.result()
        return self._value

    async def close(self) -> None:
        """Leave the context manager and wait until that is done; repeated calls wait as well.

        Raises:
            Exception: any exception from running or leaving.
        """
        self._closing.set()
        if self._task is not None:
            await self._finished()
            if not self._task.cancelled():
                self._task.result()

    async def _finished(self) -> None:
        if self._task is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wait((self._task,))

    async def _run(self) -> None:
        async with self._make() as self._value:
            self._opened.set()
            await self._closing.wait()
