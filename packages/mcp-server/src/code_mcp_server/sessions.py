"""Live conversations, each owned by a task of its own so that it outlives the call that made it."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from code_core.config.load import ConfigOverrides
from code_core.errors import ConversationError
from code_core.protocol.events import ErrorEvent, Event, SessionConfigured, TaskComplete, TurnAborted
from code_core.protocol.ops import InputItem, Interrupt, UserInput
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.view.append_only import AppendOnly
from code_mcp_server.errors import SessionBusy, TooManySessions, UnknownSession

_log = logging.getLogger("code_core")

INTERRUPT_SECONDS = 5.0

OnEvent = Callable[[Conversation, Event, TaskGroup], Awaitable[None]]
TurnEnd = TaskComplete | TurnAborted | ErrorEvent


@dataclass(slots=True)
class Session:
    """A conversation that takes one prompt at a time.

    Attributes:
        append_only: what of its events a client is shown; it cannot take text back.
    """

    conversation: Conversation
    configured: SessionConfigured
    busy: bool = False
    append_only: AppendOnly = field(default_factory=AppendOnly)
    closed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return self.conversation.id

    async def prompt(self, items: list[InputItem], on_event: OnEvent) -> TurnEnd:
        """Run one turn; every event of it goes to `on_event`. Cancelling this interrupts the turn.

        What `on_event` starts in its task group runs beside the events and ends with the turn.

        Raises:
            SessionBusy: a turn is running.
        """
        if self.busy:
            raise SessionBusy(f"session {self.id} is still working on a prompt: cancel it or wait for it")
        submission = await self.conversation.submit(UserInput(items=items))
        self.busy = True
        end: TurnEnd | None = None
        try:
            async with anyio.create_task_group() as questions:
                async for event in self.conversation.events():
                    end = _end(event, submission)
                    await on_event(self.conversation, event, questions)
                    if end is not None:
                        questions.cancel_scope.cancel()
                        return end
            return ErrorEvent(message=f"session {self.id} has ended")
        finally:
            if end is None:
                await self._interrupt(submission)
            self.busy = False

    async def cancel(self) -> None:
        """Stop the running turn, if there is one; its prompt ends with `TurnAborted`."""
        await self.conversation.submit(Interrupt())

    async def _interrupt(self, submission: str) -> None:
        """End the turn that nobody waits for any more, so that the next prompt finds only its own events."""
        with anyio.move_on_after(INTERRUPT_SECONDS, shield=True), suppress(ConversationError):
            await self.conversation.submit(Interrupt())
            async for event in self.conversation.events():
                if _end(event, submission) is not None:
                    return


def _end(event: Event, submission: str) -> TurnEnd | None:
    match event.msg:
        case (TaskComplete() | TurnAborted() | ErrorEvent()) as end if event.id == submission:
            return end
        case _:
            return None


@dataclass(slots=True)
class SessionPool:
    """The sessions of one server, the last used ones last.

    Attributes:
        limit: how many there may be; beyond it the one that was idle longest is closed.
    """

    manager: ConversationManager
    tasks: TaskGroup
    sessions: dict[str, Session] = field(default_factory=dict)
    limit: int = 256

    async def open(self, overrides: ConfigOverrides) -> Session:
        """A new session.

        Raises:
            ConfigError: the settings are wrong.
            TooManySessions: the limit is reached, and all are busy.
        """
        self._make_room()
        conversation = await self.manager.new(overrides, Parts(source="mcp"))
        session: Session = await self.tasks.start(self._own, conversation)
        self.sessions[session.id] = session
        return session

    def find(self, session_id: str) -> Session:
        """The session of that id.

        Raises:
            UnknownSession: no such session is open.
        """
        session = self.sessions.get(session_id)
        if session is None:
            raise UnknownSession(f"no session has the id {session_id!r}: start one with codex or session/new")
        self.sessions[session_id] = self.sessions.pop(session_id)
        return session

    def _make_room(self) -> None:
        if len(self.sessions) < self.limit:
            return
        idle = next((session for session in self.sessions.values() if not session.busy), None)
        if idle is None:
            raise TooManySessions(f"{self.limit} sessions are working on prompts: cancel one or wait")
        del self.sessions[idle.id]
        idle.closed.set()

    async def _own(self, conversation: Conversation, *, task_status: TaskStatus[Any]) -> None:
        session: Session | None = None
        try:
            async with conversation:
                first = await anext(aiter(conversation.events()))
                assert isinstance(first.msg, SessionConfigured)  # noqa: S101 - always the first event
                session = Session(conversation, first.msg)
                task_status.started(session)
                await session.closed.wait()
        except Exception:
            if session is None:
                raise
            _log.exception("session %s failed", session.id)  # the others go on
            self.sessions.pop(session.id, None)


@asynccontextmanager
async def session_pool(manager: ConversationManager) -> AsyncIterator[SessionPool]:
    """A pool whose conversations end, with their commands, when the context does."""
    async with anyio.create_task_group() as tasks:
        yield SessionPool(manager, tasks)
        tasks.cancel_scope.cancel()
