"""A compaction that the user asks for."""

from code_core.errors import TurnError
from code_core.session.compaction.compact import can_compact, compact
from code_core.session.session import Session
from code_core.session.tasks.task import Report


class CompactTask:
    """See `Task`."""

    kind = "compact"
    interrupted_note = None

    async def run(self, session: Session, report: Report) -> str | None:
        """See `Task.run`."""
        if not can_compact(session):
            raise TurnError("there is nothing to compact yet")
        await compact(session, report, automatic=False)
        return None
