"""The task protocol, and how tasks report events."""

from typing import Protocol

from code_core.frozen import frozen
from code_core.protocol.events import EventMsg, EventOrder
from code_core.session.events.log import EventLog
from code_core.session.session import Session


@frozen
class Report:
    """Emits the events of one task.

    Attributes:
        submission: the id of the op that started the task.
        turn_id: an id that stays the same when the session is resumed.
    """

    submission: str
    turn_id: str
    log: EventLog

    async def emit(self, msg: EventMsg, order: EventOrder | None = None) -> None:
        """Queue `msg` immediately; never waits, so it cannot be cancelled."""
        if order is not None and "item_id" in type(msg).model_fields:
            msg = msg.model_copy(update={"item_id": self.item_id(order)})
        self.log.publish(self.submission, msg, order)

    def item_id(self, order: EventOrder) -> str:
        """The id, in events and in the history, of the item at this position in the model's stream."""
        return f"{self.turn_id}-{order.request_ordinal}-{order.output_index or 0}"


class Task(Protocol):
    """A unit of work in a session. Runs alone, and an interrupt cancels it."""

    @property
    def kind(self) -> str:
        """The kind that `task_started` reports."""
        ...

    @property
    def interrupted_note(self) -> str | None:
        """The note to the model about an interrupted task, if it needs one."""
        ...

    async def run(self, session: Session, report: Report) -> str | None:
        """Do the work and return the last message for the user, if any.

        The runner reports the start and the end of the task, and ends whatever the task began but
        did not end.

        Raises:
            CodeError: the task failed; the message is for the user.
            TurnAbandoned: the user answered a question with `abort`.
        """
        ...
