"""Runs one task at a time and guarantees that each ends exactly once, with everything it began.

Each task has its own cancel scope. Work that must not be cancelled half-way (journal writes,
restoring files) is shielded for a bounded time; see *Cancellation* in ARCHITECTURE.md.
"""

import logging
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

import anyio

from code_core.errors import CodeError
from code_core.protocol.checkpoints import Steps
from code_core.protocol.events import ErrorEvent, TaskComplete, TaskStarted, TurnAborted, WarningEvent
from code_core.protocol.session_events import UndoAvailable
from code_core.session.events.log import EventLog
from code_core.session.session import Session, user_note
from code_core.session.tasks.task import Report, Task
from code_core.store.entries import EventEntry
from code_core.store.errors import JournalError
from code_core.tools.tool import TurnAbandoned

_log = logging.getLogger("code_core")

LONGEST_ERROR = 2_000
CHECKPOINT_SECONDS = 10.0

AbortReason = Literal["interrupted", "replaced"]
TaskEnd = TaskComplete | TurnAborted | ErrorEvent


@dataclass(slots=True, eq=False, repr=False)
class RunningTask:
    """A task that is running or about to start."""

    task: Task
    report: Report
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished: anyio.Event = field(default_factory=anyio.Event)
    abort_reason: AbortReason = "interrupted"
    stopped: bool = False


class Runner:
    """Runs the tasks of one session."""

    def __init__(self, session: Session, log: EventLog) -> None:
        self._session = session
        self._log = log
        self.running: RunningTask | None = None
        self._steps = Steps(0, 0)

    def prepare(self, task: Task, submission: str) -> RunningTask:
        """Make `task` the running one; pass the result to `run`."""
        assert self.running is None  # noqa: S101 - one at a time
        report = Report(submission, f"turn_{uuid4().hex}", self._log)
        self.running = RunningTask(task, report)
        return self.running

    async def stop(self, reason: AbortReason) -> None:
        """Cancel the running task, if any, and wait for it to end."""
        if (running := self.running) is not None:
            running.abort_reason = reason
            running.stopped = True
            running.scope.cancel()
            await running.finished.wait()

    async def run(self, running: RunningTask) -> bool:
        """Run a prepared task to its end, whatever happens; return whether it ended normally."""
        session, report = self._session, running.report
        started = TaskStarted(
            model_context_window=session.settings.capabilities.context_window,
            turn_id=report.turn_id,
            kind=running.task.kind,
        )
        await report.emit(started)
        end: TaskEnd | None = None
        try:
            with running.scope:
                end = await self._body(running)
        finally:
            await self._wind_up(running, end)
        return isinstance(end, TaskComplete)

    async def _body(self, running: RunningTask) -> TaskEnd | None:
        """Run the task and return how it ended, or None if the user stopped it."""
        session, report = self._session, running.report
        try:
            await session.history.note(EventEntry.task_started(report.turn_id))
            message = await running.task.run(session, report)
            await session.history.sync()
            return TaskComplete(last_agent_message=message)
        except TurnAbandoned:
            return None
        except Exception as error:  # noqa: BLE001 - one bad task must not end the session
            return failure(error)

    async def _wind_up(self, running: RunningTask, end: TaskEnd | None) -> None:
        """Record and report the end. Nothing here may fail or be cancelled."""
        session, report = self._session, running.report
        end = end if end is not None else TurnAborted(reason=running.abort_reason)
        with anyio.CancelScope(shield=True):
            try:
                await self._record(end, running)
            except JournalError as error:
                end = end if isinstance(end, ErrorEvent) else ErrorEvent(message=str(error), code=error.code)
            for owed in self._log.open.owed(report.submission, _why(end)):
                await report.emit(owed)
            await self._end_checkpoint(report)
        self.running = None
        await report.emit(end)
        if isinstance(end, ErrorEvent) and session.queue:
            count = len(session.queue)
            waiting = "1 queued input goes" if count == 1 else f"{count} queued inputs go"
            await report.emit(WarningEvent(message=f"{waiting} to the model with your next one"))
        running.finished.set()

    async def _record(self, end: TaskEnd, running: RunningTask) -> None:
        history, report = self._session.history, running.report
        totals = self._session.totals.entry()
        match end:
            case TurnAborted(reason=reason):
                note = running.task.interrupted_note
                notes = [] if note is None else [user_note(note, report.turn_id)]
                await history.add(totals, *notes, EventEntry.turn_aborted(report.turn_id, reason))
                await history.sync()
            case TaskComplete(last_agent_message=message):
                await history.note(totals, EventEntry.task_complete(report.turn_id, message))
            case ErrorEvent():
                ended = EventEntry(end.model_dump(mode="json") | {"turn_id": report.turn_id})
                await history.note(totals, ended)

    async def _end_checkpoint(self, report: Report) -> None:
        """Report what can be undone now; a failing or hanging store must not delay the end."""
        checkpoints = self._session.services.checkpoints
        if checkpoints is None:
            return
        with anyio.move_on_after(CHECKPOINT_SECONDS) as clock:
            try:
                await checkpoints.end_turn(report.turn_id)
                steps = await checkpoints.steps()
                if steps != self._steps:
                    self._steps = steps
                    await report.emit(UndoAvailable(undo=steps.undo, redo=steps.redo))
            except Exception as error:  # noqa: BLE001 - the task itself has finished
                _log.warning("ending a checkpoint failed", exc_info=error)
                await report.emit(WarningEvent(message=f"this turn cannot be undone: {error}"))
        if clock.cancelled_caught:
            await report.emit(WarningEvent(message="this turn may not be undone: the store does not answer"))


def failure(error: Exception) -> ErrorEvent:
    """Return the user's message for an exception that ended a task."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, CodeError):
        return ErrorEvent(message=str(error), code=error.code)
    _log.error("a task failed", exc_info=error)
    return ErrorEvent(
        message=f"internal error: {type(error).__name__}: {error}"[:LONGEST_ERROR], code="internal"
    )


def _why(end: TaskEnd) -> str:
    match end:
        case TurnAborted(reason=reason):
            return reason
        case ErrorEvent(message=message):
            return message
        case TaskComplete():
            return "the task ended first"
