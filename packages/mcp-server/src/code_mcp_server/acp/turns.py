"""One prompt of a session, from its acceptance to its stop reason."""

from dataclasses import dataclass, field

import anyio

from code_core.protocol.events import ErrorEvent, Event, TaskComplete, TurnAborted
from code_mcp_server.acp.jsonrpc import Code, RpcError

TurnEnd = TaskComplete | TurnAborted | ErrorEvent

_STOP_REASONS = {"max_output": "max_tokens", "limit_reached": "max_turn_requests"}


@dataclass(slots=True, eq=False)
class Turn:
    """A prompt that is being answered.

    Attributes:
        submission: the id of its events; empty before the engine has it.
        cancelled: the client does not want it any more, whatever the engine makes of that.
        asking: the questions that are open at the client.
        ended: set when everything of the turn is on its way to the client.
    """

    submission: str = ""
    cancelled: bool = False
    asking: set[anyio.CancelScope] = field(default_factory=set)
    ended: anyio.Event = field(default_factory=anyio.Event)
    end: TurnEnd | None = None

    def end_in(self, event: Event) -> TurnEnd | None:
        """The end of this turn, if `event` is it."""
        match event.msg:
            case (TaskComplete() | TurnAborted() | ErrorEvent()) as end if event.id == self.submission:
                return end
            case _:
                return None

    def withdraw_questions(self) -> None:
        """Do not wait for answers any more."""
        for scope in self.asking:
            scope.cancel()

    def stop_reason(self) -> str:
        """How it ended.

        Raises:
            RpcError: it failed.
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
            case TurnAborted() | None:
                return "cancelled"
