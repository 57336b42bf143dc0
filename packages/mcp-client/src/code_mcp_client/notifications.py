"""The dispatcher for sessions: supports listening to notifications, and repairs lists of tools."""

import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Self
from weakref import WeakSet

import anyio
import anyio.abc
import anyio.lowlevel
from mcp.shared.dispatcher import (
    CallOptions,
    DispatchContext,
    Dispatcher,
    OnNotify,
    OnNotifyIntercept,
    OnRequest,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.transport_context import TransportContext
from mcp_types import METHOD_NOT_FOUND
from mcp_types.version import LATEST_HANDSHAKE_VERSION

from code_mcp_client.era import ModernEra
from code_mcp_client.large_values import off_the_loop_if_large
from code_mcp_client.mending import mended_tools
from code_mcp_client.messages import Notification

PAGE_DONE = "notifications/elicitation/complete"
_MOST_PAGES_DONE = 100
_MOST_WAITING = 10_000
_TAKEN_IN_A_ROW = 64
"""Notifications after which a listener yields to other tasks."""

logger = logging.getLogger("code_mcp_client")


class Notifications:
    """One listener's notifications: an async iterator that ends when the client closes.

    Contains those since its creation; beyond 10,000, the oldest is dropped and logged.
    """

    def __init__(self) -> None:
        self._waiting: deque[Notification] = deque(maxlen=_MOST_WAITING)
        self._changed = anyio.Event()
        self._ended = False
        self._taken = 0
        self._dropped = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        self._taken += 1
        if self._taken % _TAKEN_IN_A_ROW == 0:
            await anyio.lowlevel.checkpoint()
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            await self._changed.wait()
        return self._waiting.popleft()

    def put(self, notification: Notification) -> None:
        """Add one."""
        if len(self._waiting) == _MOST_WAITING:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, …, to avoid flooding the log
                logger.warning("a listener is slow: %d notifications dropped", self._dropped)
        self._waiting.append(notification)
        self._changed.set()

    def end(self) -> None:
        """End the iteration after what is queued."""
        self._ended = True
        self._changed.set()


class ListenedDispatcher:
    """A dispatcher whose notifications also reach listeners, including those of unknown methods.

    All listed tools are valid (see `mended_tools`), because the session refuses a list with one invalid tool.

    Attributes:
        left_out: called with a line for each tool that is left out of a list.
        era: of the connection; None for the handshake era, and before it is known.
        pages_done: the last 100 pages that the server reported to be done with, by their elicitation ids.

    The SDK's session drops notifications of unknown methods and starts a task for each of the others, which
    loses their order; listeners are therefore called before it, on the receiving path.
    """

    def __init__(self, inner: Dispatcher[TransportContext]) -> None:
        self._inner = inner
        self._listeners: WeakSet[Notifications] = WeakSet()
        self._over = False
        self._version = LATEST_HANDSHAKE_VERSION
        self.left_out: Callable[[str], None] = logger.warning
        self.era: ModernEra | None = None
        self.pages_done: deque[str] = deque(maxlen=_MOST_PAGES_DONE)

    async def send_raw_request(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> dict[str, Any]:
        """Send a request to the server, in the form of its era."""
        if self.era is not None:
            params, opts = self.era.stamp(method, params, opts)
        result = await self._inner.send_raw_request(method, params, opts)
        match method:
            case "initialize":
                self._version = str(result.get("protocolVersion"))
            case "tools/list":
                version = self._version if self.era is None else self.era.version
                mended = partial(mended_tools, version=version)
                result, problems = await off_the_loop_if_large(mended, result)
                if self.era is not None:
                    result, more = self.era.learn(result)
                    problems += more
                for problem in problems:
                    self.left_out(problem)
            case _:
                pass
        return result

    async def notify(
        self, method: str, params: Mapping[str, Any] | None, opts: CallOptions | None = None
    ) -> None:
        """Send a notification to the server, in the form of its era."""
        if self.era is not None:
            params, opts = self.era.stamp(method, params, opts)
        await self._inner.notify(method, params, opts)

    def listen(self) -> Notifications:
        """Return a new listener, for notifications from now on."""
        listener = Notifications()
        if self._over:
            listener.end()
        self._listeners.add(listener)
        return listener

    async def run(
        self,
        on_request: OnRequest,
        on_notify: OnNotify,
        on_notify_intercept: OnNotifyIntercept | None = None,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the inner dispatcher; listeners end with it."""

        def intercept(method: str, params: Mapping[str, Any] | None) -> bool:
            if method == PAGE_DONE:
                self.pages_done.append(str((params or {}).get("elicitationId")))
            if self._listeners:
                notification = Notification(method, None if params is None else dict(params))
                for listener in self._listeners:
                    listener.put(notification)
            return on_notify_intercept is not None and on_notify_intercept(method, params)

        async def answer(
            context: DispatchContext[TransportContext], method: str, asked: Mapping[str, Any] | None
        ) -> dict[str, Any]:
            if self.era is not None:
                raise MCPError(METHOD_NOT_FOUND, f"servers send no requests since {self.era.version}")
            return await on_request(context, method, asked)

        try:
            await self._inner.run(answer, on_notify, intercept, task_status=task_status)
        finally:
            self._over = True
            for listener in self._listeners:
                listener.end()
