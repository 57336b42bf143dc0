"""What the tools of a turn may use, made for the first call: many turns call nothing."""

from typing import TYPE_CHECKING, Self

import anyio.to_thread

from code_core.session.session import Session
from code_core.session.tasks.task import Report
from code_core.session.turn.checkpoint import begin_checkpoint
from code_core.session.turn.clock import TurnClock

if TYPE_CHECKING:
    from code_core.tools.tool import ToolContext


class LazyToolContext:
    """The context of the turn that begins now, with the settings of now. See `tool_context`.

    Use it as a context manager: it gives up what the tools have kept for the turn.
    """

    def __init__(self, session: Session, report: Report, clock: TurnClock) -> None:
        self._session = session
        self._settings = session.settings
        self._report = report
        self._clock = clock
        self._checkpoint = begin_checkpoint(session, report)
        self._made: ToolContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.changes.close()

    async def get(self) -> "ToolContext":
        """The context, always the same."""
        if self._made is None:
            self._made = await anyio.to_thread.run_sync(self._make)  # a thread, for what it imports
        return self._made

    def _make(self) -> "ToolContext":
        from code_core.session.turn.tool_context import tool_context

        return tool_context(self._session, self._settings, self._report, self._clock, self._checkpoint)
