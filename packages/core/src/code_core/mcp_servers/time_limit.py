"""The time limit for a server's tools, excluding time in which the server waits for the user."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import anyio

from code_mcp_client import RequestTimedOut


class TimeLimit:
    """The time limit for each call to one server.

    Args:
        seconds: the limit for one call.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._questions = 0
        self._calls: dict[anyio.CancelScope, float] = {}

    @contextmanager
    def call(self, tool: str) -> Iterator[None]:
        """Limit the time of a call.

        Raises:
            RequestTimedOut: the call took too long and was cancelled.
        """
        with anyio.CancelScope() as scope:
            self._calls[scope] = self._seconds
            if not self._questions:
                self._start(scope)
            try:
                yield
            finally:
                del self._calls[scope]
        if scope.cancelled_caught:
            raise RequestTimedOut(f"{tool} did not answer within {self._seconds:g} s")

    @contextmanager
    def question(self) -> Iterator[None]:
        """Pause the limits of all calls while the user is asked."""
        if not self._questions:
            for scope in self._calls:
                self._calls[scope] = max(0.0, scope.deadline - anyio.current_time())
                scope.deadline = math.inf
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1
            if not self._questions:
                for scope in self._calls:
                    self._start(scope)

    def _start(self, scope: anyio.CancelScope) -> None:
        scope.deadline = anyio.current_time() + self._calls[scope]
