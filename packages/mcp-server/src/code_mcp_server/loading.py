"""A value that is being made, which several may wait for: the engine, behind the handshake."""

from collections.abc import Generator
from typing import Any, Generic, TypeVar

import anyio

from code_mcp_server.jsonrpc import Code, RpcError

T = TypeVar("T")


class Loading(Generic[T]):
    """Awaiting it gives the value, however often; an `RpcError` if it could not be made.

    Attributes:
        problem: why it could not be made.
    """

    def __init__(self) -> None:
        self._done = anyio.Event()
        self._value: list[T] = []
        self.problem: Exception | None = None

    def set(self, value: T) -> None:
        """It is made."""
        self._value = [value]
        self._done.set()

    def fail(self, problem: Exception) -> None:
        """It cannot be made; the text of `problem` is for those who wait."""
        self.problem = problem
        self._done.set()

    def __await__(self) -> Generator[Any, Any, T]:
        return self._get().__await__()

    async def _get(self) -> T:
        await self._done.wait()
        if not self._value:
            raise RpcError(Code.INTERNAL_ERROR, str(self.problem))
        return self._value[0]
