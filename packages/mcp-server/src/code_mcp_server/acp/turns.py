"""One prompt of a session, from acceptance to stop reason."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from code_core.protocol.events import ErrorEvent, Event, TaskComplete, TurnAborted
from code_mcp_server.jsonrpc import Code, RpcError

TurnEnd = TaskComplete | TurnAborted | ErrorEvent

_STOP_REASONS = {"max_output": "max_tokens", "limit_reached": "max_turn_requests"}


@dataclass(slots=True, eq=False)
class Turn:
    """A prompt being answered.

    Attributes:
        submission: the id of its events; empty until the engine accepts it.
        cancelled: whether the client has cancelled it, regardless of how the engine ends it.
        preparing: covers the time until the engine accepts it.
        ended: set once all output of the turn has been sent to the client, or its session has ended.
        reported: set once nothing more of it will be sent but the answer to its prompt.
    """

    submission: str = ""
    cancelled: bool = False
    preparing: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    reported: anyio.Event = field(default_factory=anyio.Event)
    end: TurnEnd | None = None
    _asking: dict[str, anyio.CancelScope] = field(default_factory=dict)
    _one_answered: anyio.Event = field(default_factory=anyio.Event)

    def end_in(self, event: Event) -> TurnEnd | None:
        """Return the end of this turn if `event` is it."""
        match event.msg:
            case (TaskComplete() | TurnAborted() | ErrorEvent()) as end if event.id == self.submission:
                return end
            case _:
                return None

    def ask(self, tasks: TaskGroup, question_id: str, question: Callable[[], Awaitable[None]]) -> None:
        """Ask the client in a separate task, until the question is answered or withdrawn."""
        scope = self._asking[question_id] = (
            anyio.CancelScope()
        )  # before the task starts, because the turn may end first

        async def asked() -> None:
            try:
                with scope:
                    await question()
            finally:
                del self._asking[question_id]
                self._one_answered.set()

        tasks.start_soon(asked)

    def withdraw(self, question_id: str) -> None:
        """Stop waiting for the answer to a question, if it is open."""
        if (scope := self._asking.get(question_id)) is not None:
            scope.cancel()

    def withdraw_questions(self) -> None:
        """Stop waiting for answers."""
        for scope in self._asking.values():
            scope.cancel()

    async def questions_withdrawn(self) -> None:
        """Withdraw the questions and wait until the client has been notified."""
        self.withdraw_questions()
        while self._asking:
            self._one_answered = anyio.Event()
            await self._one_answered.wait()

    def stop_reason(self) -> str:
        """Return the stop reason.

        Raises:
            RpcError: the turn failed.
        """
        match self.end:
            case _ if self.cancelled:
                return "cancelled"
            case TaskComplete():
                return "end_turn"
            case ErrorEvent(code=code) if code in _STOP_REASONS:
                return _STOP_REASONS[code]
            case ErrorEvent(message=message, code="auth"):
                raise RpcError(Code.AUTH_REQUIRED, message)
            case ErrorEvent(message=message, code=code):
                raise RpcError(Code.INTERNAL_ERROR, message, {"code": code or "internal"})
            case TurnAborted():
                return "cancelled"
            case None:
                raise RpcError(
                    Code.INTERNAL_ERROR, "the session failed; load it again to continue", {"code": "internal"}
                )
