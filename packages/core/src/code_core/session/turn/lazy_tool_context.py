"""The tool context of a turn, created on the first call, because many turns call no tools."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio.to_thread

from code_core.context.git import repository_root
from code_core.session.session import Session
from code_core.session.tasks.task import Report
from code_core.session.turn.checkpoint import begin_checkpoint
from code_core.session.turn.clock import TurnClock
from code_core.store.layout import outputs_of

if TYPE_CHECKING:
    from code_core.tools.tool import ToolContext
    from code_core.tools.turn_changes import TurnChanges


class LazyToolContext:
    """The tool context of a turn, with the settings at its start. See `tool_context`.

    Use it as a context manager, so that everything the tools hold for the turn is released.
    """

    def __init__(self, session: Session, report: Report, clock: TurnClock) -> None:
        self._session = session
        self._settings = session.settings
        self._report = report
        self._clock = clock
        self._checkpoint = begin_checkpoint(session, report)
        self._context: ToolContext | None = None
        self._changes: TurnChanges | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._changes is not None:
            self._changes.close()

    async def get(self) -> "ToolContext":
        """Return the context, the same one on every call."""
        if self._context is None:
            self._context = await anyio.to_thread.run_sync(self._make)  # in a thread, because of its imports
        return self._context

    def _make(self) -> "ToolContext":
        from code_core.session.turn.tool_context import tool_context

        return tool_context(
            self._session, self._settings, self._report, self._clock, self._checkpoint, self._turn_changes
        )

    def _turn_changes(self) -> "TurnChanges":
        """The changes of the turn, created for its first patch."""
        if self._changes is None:
            from code_core.tools.turn_changes import TurnChanges

            directory = Path(os.path.realpath(self._settings.cwd))
            folder = outputs_of(self._session.config.home.path, self._session.id) / "turn"
            self._changes = TurnChanges(repository_root(directory) or directory, folder)
        return self._changes
