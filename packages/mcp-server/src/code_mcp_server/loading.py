"""An awaitable value that is being loaded, such as the engine during the handshake."""

from collections.abc import Generator
from typing import Any, Generic, TypeVar

import anyio

from code_mcp_server.jsonrpc import Code, RpcError

T = TypeVar("T")


class Loading(Generic[T]):
    """Awaiting it returns the value, any number of times, or raises `RpcError` if loading failed.

    Attributes:
        problem: why loading failed.
    """

    def __init__(self) -> None:
        self._done = anyio.Event()
        self._value: list[T] = []
        self.problem: Exception | None = None

    def set(self, value: T) -> None:
        """Provide the value."""
        self._value = [value]
        self._done.set()

    def fail(self, problem: Exception) -> None:
        """Report a failure; the text of `problem` is for waiting clients."""
        self.problem = problem
        self._done.set()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._get().__await__()

    async def _get(self) -> T:
        await self._done.wait()
        if not self._value:
            raise RpcError(Code.INTERNAL_ERROR, str(self.problem))
        return self._value[0]
