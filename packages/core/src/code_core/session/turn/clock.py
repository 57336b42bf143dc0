"""The clock of a turn, which is paused while the user is asked."""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio

from code_core.errors import TurnError

if TYPE_CHECKING:
    from code_core.session.questions.approvals import Approvals
    from code_core.tools.approver import Question, Review


class TurnClock:
    """Ends a turn after `seconds` of work, or never if None."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._left = math.inf if seconds is None else seconds
        self._scope: anyio.CancelScope | None = None
        self._questions = 0

    @property
    def left(self) -> float | None:
        """Seconds of work left, or None without a limit."""
        if self._seconds is None:
            return None
        if self._scope is None or self._scope.deadline == math.inf:
            return self._left
        return max(0.0, self._scope.deadline - anyio.current_time())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clock during the turn.

        Raises:
            TurnError: the time is up; whatever was running was cancelled.
        """
        with anyio.CancelScope() as self._scope:
            self._start()
            yield
        if self._scope.cancelled_caught:
            raise TurnError(f"stopped after {self._seconds:g} seconds (max_wall_seconds)")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Pause the clock while the user is asked."""
        if self._questions == 0 and self._scope is not None:
            self._left = max(0.0, self._scope.deadline - anyio.current_time())
            self._scope.deadline = math.inf
        self._questions += 1
        try:
            yield
        finally:
            self._questions -= 1
            if self._questions == 0:
                self._start()

    def _start(self) -> None:
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + self._left


class UnhurriedApprover:
    """An approver that pauses the clock during questions. See `Approver`.

    Args:
        approvals: what was allowed for the session.
        ask: asks one question.
        clock: the clock to pause.
    """

    def __init__(
        self, approvals: "Approvals", ask: "Callable[[Question], Awaitable[Review]]", clock: TurnClock
    ) -> None:
        self._ask = ask
        self._clock = clock
        self.approved = approvals.approved
        self.registered_commands = approvals.registered_commands

    async def ask(self, question: "Question") -> "Review":
        """See `Approver.ask`."""
        with self._clock.asking():
            return await self._ask(question)
