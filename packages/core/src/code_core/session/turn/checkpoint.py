"""Saves what a turn changes, so that it can be undone."""

from collections.abc import Sequence
from pathlib import Path

from code_core.context.git import repository_root
from code_core.errors import CodeError
from code_core.protocol.checkpoints import Checkpoints
from code_core.protocol.events import BackgroundEvent, WarningEvent
from code_core.protocol.policies import ReadOnly, WorkspaceWrite
from code_core.session.session import Session
from code_core.session.settings import TurnSettings
from code_core.session.tasks.task import Report


class TurnCheckpoint:
    """Saves files for undo; a failure is reported once, and the turn continues."""

    def __init__(self, checkpoints: Checkpoints, report: Report) -> None:
        self._checkpoints = checkpoints
        self._report = report
        self._failed = False

    async def before_write(self, paths: Sequence[Path]) -> None:
        """See `ToolContext`."""
        try:
            await self._checkpoints.before_write(self._report.turn_id, paths)
        except (CodeError, OSError) as error:
            await self._fail(error)

    async def before_command(self) -> None:
        """See `ToolContext`."""
        try:
            warning = await self._checkpoints.before_command(self._report.turn_id)
        except (CodeError, OSError) as error:
            await self._fail(error)
        else:
            if warning is not None:
                await self._report.emit(BackgroundEvent(message=warning))

    async def _fail(self, error: Exception) -> None:
        if not self._failed:
            self._failed = True
            await self._report.emit(WarningEvent(message=f"this turn cannot be undone: {error}"))


def begin_checkpoint(session: Session, report: Report) -> TurnCheckpoint | None:
    """Begin the checkpoint of the turn that `report` belongs to, or return None if undo is unavailable."""
    checkpoints, settings = session.services.checkpoints, session.settings
    if checkpoints is None:
        return None
    look_ahead = not isinstance(settings.sandbox_in_force, ReadOnly)
    checkpoints.begin_turn(report.turn_id, _roots(settings), look_ahead=look_ahead)
    return TurnCheckpoint(checkpoints, report)


def _roots(settings: TurnSettings) -> list[Path]:
    """The directories where commands are expected to write."""
    if isinstance(settings.sandbox_policy, WorkspaceWrite):
        return [settings.cwd, *(settings.cwd / root for root in settings.sandbox_policy.writable_roots)]
    return [repository_root(settings.cwd) or settings.cwd]
