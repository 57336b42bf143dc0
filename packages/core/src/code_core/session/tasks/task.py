"""What a task is, and how it reports."""

from typing import Protocol

from code_core.frozen import frozen
from code_core.protocol.events import EventMsg, EventOrder
from code_core.session.events.log import EventLog
from code_core.session.session import Session


@frozen
class Report:
    """The way out for the events of one task.

    Attributes:
        submission: the id of the op that started the task.
        turn_id: the id that stays the same when the session is resumed.
    """

    submission: str
    turn_id: str
    log: EventLog

    async def emit(self, msg: EventMsg, order: EventOrder | None = None) -> None:
        """Queue `msg`, at once: this never waits, and so cannot be cancelled."""
        if order is not None and "item_id" in type(msg).model_fields:
            msg = msg.model_copy(update={"item_id": self.item_id(order)})
        self.log.publish(self.submission, msg, order)

    def item_id(self, order: EventOrder) -> str:
        """The id of the item at this place of the model's stream, in events and in the history."""
        return f"{self.turn_id}-{order.request_ordinal}-{order.output_index or 0}"


class Task(Protocol):
    """One thing that a session does. It is cancelled by an interrupt, and runs alone."""

    @property
    def kind(self) -> str:
        """What `task_started` calls it."""
        ...

    @property
    def interrupted_note(self) -> str | None:
        """What the model must know of a task that was interrupted; None where that is nothing."""
        ...

    async def run(self, session: Session, report: Report) -> str | None:
        """Do it; the last message for the user, if there is one.

        Whoever runs a task reports its beginning and its end, and ends what it has
        begun and not ended.

        Raises:
            CodeError: it failed; the text is for the user.
            TurnAbandoned: the user answered a question with `abort`.
        """
        ...
