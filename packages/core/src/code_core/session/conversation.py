"""The conversation: a mailbox and a lifecycle. Ops go in, one task runs at a time, events come out."""

import logging
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from types import TracebackType
from typing import Self

import anyio

from code_core.config.load import Config
from code_core.errors import ConversationError
from code_core.protocol.answer_ops import ResolvePlan
from code_core.protocol.events import ErrorEvent, Event, EventMsg, ShutdownComplete, WarningEvent
from code_core.protocol.ops import (
    EditQueuedInput,
    Interrupt,
    Op,
    OverrideTurnContext,
    QueueUserInput,
    RegisterApprovedCommand,
    RemoveQueuedInput,
    SetSessionName,
    Shutdown,
    StopTerminals,
    UpdateValidationGroup,
    UpdateValidationTool,
    UserInput,
)
from code_core.protocol.session_events import SessionRenamed
from code_core.session.events.log import EventLog, EventReader
from code_core.session.input_queue import QueuedInput, too_large
from code_core.session.look_ups import LookUp, look_up
from code_core.session.plan_mode import LEAVE_PLAN_MODE, input_after, not_open, rejection
from code_core.session.runner import Runner, RunningTask
from code_core.session.session import Answer, Session, user_note
from code_core.session.tasks.table import task_of
from code_core.session.tasks.task import Task
from code_core.session.tasks.turn import TurnTask
from code_core.store.entries import Entry, EventEntry
from code_core.store.errors import JournalError, StoreError

_log = logging.getLogger("code_core")

LONGEST_NAME = 200


class Conversation:
    """Drives one agent. Use it as an async context manager and read `events()` to the end.

    A frontend submits ops and reads events. The conversation never waits for it: a frontend that
    falls far behind gets less detail (see `session/events/log.py`).

    Args:
        session: a new or restored session, from a manager.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._log = EventLog()
        self._events = self._log.reader()
        self._runner = Runner(session, self._log)
        self._submissions = count(1)
        self._ops_in, self._ops_out = anyio.create_memory_object_stream[tuple[str, Op]](float("inf"))
        self._stack = AsyncExitStack()

    @property
    def id(self) -> str:
        """The session's id."""
        return self.session.id

    @property
    def config(self) -> Config:
        """The settings with which the session began."""
        return self.session.config

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        connect, publish = self.session.services.servers.connect, partial(self._log.publish, "0")
        self._tasks.start_soon(self._serve)  # started first, because it emits the first event
        self._tasks.start_soon(connect, partial(self._emit, "0"), publish)
        self.session.services.terminals.serve(self._tasks, partial(self._emit, "0"))
        if (stored := self.session.services.stored) is not None:
            self._tasks.start_soon(stored.clean)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._ops_in.close()
        self._tasks.cancel_scope.cancel()
        try:
            return await self._stack.__aexit__(kind, error, traceback)
        finally:
            await self.discard()

    async def discard(self) -> None:
        """Release a conversation whose context was never entered."""
        self._ops_in.close()
        self._ops_out.close()
        self._log.close()
        await self.session.aclose()

    async def submit(self, op: Op) -> str:
        """Send an operation and return the id that its events will carry.

        Raises:
            ConversationError: the conversation has ended.
        """
        submission = str(next(self._submissions))
        try:
            self._ops_in.send_nowait((submission, op))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise ConversationError(f"conversation {self.id} has ended: start a new one") from None
        return submission

    def events(self) -> EventReader:
        """Return every event once, in order, until `shutdown_complete`; a single reader that resumes where it stopped."""
        return self._events

    @property
    def waiting(self) -> int:
        """Number of events that `events` can return without waiting."""
        return self._events.waiting

    def follow(self) -> EventReader:
        """Return an independent reader: `session_snapshot` and the open items first, then new events.

        Close it when you stop reading.
        """
        running = self._runner.running
        snapshot = self.session.snapshot(None if running is None else running.report.turn_id)
        first = Event(id="0", event_seq=self._log.last_number("0"), msg=snapshot)
        events = [first, *self._log.open.events()]
        if running is None and (plan := self.session.open_plan()) is not None:
            events.append(first.model_copy(update={"msg": plan}))
        return self._log.reader(events)

    async def until_closed(self, question_id: str) -> None:
        """Wait until a question is no longer open: it was answered or withdrawn, or its turn has ended."""
        await self._log.until_closed(question_id)

    async def _emit(self, submission: str, msg: EventMsg) -> None:
        self._log.publish(submission, msg)

    async def _serve(self) -> None:
        self._log.publish("0", self.session.configured())
        for warning in self.config.warnings:
            self._log.publish("0", WarningEvent(message=warning))
        if self.session.notes:
            resumed = "the session was resumed: " if self.session.history.items else ""
            self._log.publish("0", WarningEvent(message=f"{resumed}{'; '.join(self.session.notes)}"))
        if (plan := self.session.open_plan()) is not None:
            self._log.publish("0", plan)
        async for submission, op in self._ops_out:
            if isinstance(op, Shutdown):
                await self._shut_down(submission)
                return
            await self._carry_out(submission, op)

    async def _carry_out(self, submission: str, op: Op) -> None:
        match op:
            case UserInput() | QueueUserInput() | EditQueuedInput() if (problem := too_large(op)) is not None:
                self._log.publish(submission, ErrorEvent(message=problem, code="input_too_large"))
            case UserInput():
                await self._runner.stop("replaced")
                await self._enqueue(submission, op)
                self._start(TurnTask(), submission)
            case QueueUserInput():
                await self._enqueue(submission, op)
                if self._runner.running is None:
                    self._start(TurnTask(), submission)
            case EditQueuedInput() | RemoveQueuedInput():
                await self._change_queue(submission, op)
            case Interrupt():
                await self._runner.stop("interrupted")
            case _ if isinstance(op, Answer):
                self._answer(submission, op)
            case RegisterApprovedCommand():
                self.session.approvals.register_command(op)
            case StopTerminals(session_id=session_id):
                if not self.session.services.terminals.stop(session_id):
                    which = "command" if session_id is None else f"session {session_id}"
                    self._warn(submission, f"nothing to stop: no {which} is running")
            case UpdateValidationTool() | UpdateValidationGroup():
                self.session.settings = self.session.settings.switched(op)
            case ResolvePlan():
                await self._resolve_plan(submission, op)
            case OverrideTurnContext():
                await self._override(submission, op)
            case SetSessionName(name=name):
                await self._rename(submission, name)
            case _ if isinstance(op, LookUp):
                self._tasks.start_soon(self._look_up, submission, op)
            case _ if (task := task_of(op)) is not None:
                self._start_alone(submission, task)
            case _:
                self._warn(submission, f"the operation {op.type!r} is not supported here and had no effect")

    def _answer(self, submission: str, op: Answer) -> None:
        self._log.open.answered(op.id)
        if not self.session.answer(op):
            self._warn(submission, f"the answer had no effect: no question with the id {op.id!r} is open")

    async def _override(self, submission: str, op: OverrideTurnContext) -> None:
        session = self.session
        session.settings = session.settings.overridden(op)
        self._log.publish(submission, session.settings_changed())
        for warning in session.settings.capabilities.warnings:
            self._warn(submission, warning)
        if op.collaboration_mode is not None and session.history.items:  # for a resume of the session
            await self._note(submission, session.context_entry())

    async def _resolve_plan(self, submission: str, op: ResolvePlan) -> None:
        plan = self.session.open_plan() if self._runner.running is None else None
        if plan is None or plan.id != op.id:  # an error, because a frontend may wait for the work to end
            self._log.publish(submission, ErrorEvent(message=not_open(op), code="no_plan"))
            return
        if op.action == "reject":
            try:
                await self.session.history.add(user_note(rejection(op)))
            except JournalError as error:
                self._warn(submission, str(error))
            return
        if op.action == "accept":
            await self._override(submission, LEAVE_PLAN_MODE)
        await self._enqueue(submission, input_after(op))
        self._start(TurnTask(), submission)

    async def _shut_down(self, submission: str) -> None:
        await self._runner.stop("interrupted")
        self._log.publish(submission, ShutdownComplete())
        self._ops_out.close()
        self._log.close()

    def _start_alone(self, submission: str, task: Task) -> None:
        """Start a task that cannot run alongside another one or join it."""
        if self._runner.running is None:
            self._start(task, submission)
            return
        busy = f"cannot start {task.kind} while {self._runner.running.task.kind} runs: wait for it to end or interrupt it"
        self._log.publish(submission, ErrorEvent(message=busy, code="busy"))

    def _start(self, task: Task, submission: str) -> None:
        self._tasks.start_soon(self._run, self._runner.prepare(task, submission))

    async def _run(self, running: RunningTask) -> None:
        """Run a task, then turns until the queue is empty; each turn carries the id of the input that starts it."""
        while await self._runner.run(running) and not running.stopped:
            entry = self.session.queue.first()
            if entry is None or self._runner.running is not None:
                return
            running = self._runner.prepare(TurnTask(), entry.submission)

    async def _enqueue(self, submission: str, op: UserInput | QueueUserInput) -> None:
        entry = QueuedInput.of(op, submission, self.session.history.ids)
        self.session.queue.put(entry)
        if self._runner.running is not None:
            self._log.publish(submission, self.session.queue.changed())
        await self._note(submission, entry.entry())

    async def _change_queue(self, submission: str, op: EditQueuedInput | RemoveQueuedInput) -> None:
        queue = self.session.queue
        note = queue.change(op)
        if note is None:
            self._warn(submission, f"no queued input has the id {op.id!r}: it was sent or removed")
            return
        self._log.publish(submission, queue.changed())
        await self._note(submission, note)

    async def _rename(self, submission: str, name: str | None) -> None:
        self.session.name = name = " ".join((name or "").split())[:LONGEST_NAME] or None
        renamed = SessionRenamed(name=name)
        self._log.publish(submission, renamed)
        await self._note(submission, EventEntry(renamed.model_dump(mode="json")))
        if (stored := self.session.services.stored) is not None:
            try:
                await stored.rename(name)
            except StoreError as error:
                self._warn(submission, str(error))

    async def _note(self, submission: str, entry: Entry) -> None:
        """Record an entry that the model does not see; a failure stops the next turn, so a warning is enough here."""
        try:
            await self.session.history.note(entry)
        except JournalError as error:
            self._warn(submission, str(error))

    def _warn(self, submission: str, message: str) -> None:
        self._log.publish(submission, WarningEvent(message=message))

    async def _look_up(self, submission: str, op: LookUp) -> None:
        """Answer a read-only operation in its own task, because a locked file may delay it."""
        try:
            if (found := await look_up(self.session, op)) is not None:
                self._log.publish(submission, found)
        except StoreError as error:
            self._warn(submission, str(error))
