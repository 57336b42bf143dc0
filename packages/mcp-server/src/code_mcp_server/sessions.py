"""Live conversations, each owned by a task of its own so that it outlives the call that made it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from code_core.config.load import ConfigOverrides
from code_core.protocol.events import ErrorEvent, Event, SessionConfigured, TaskComplete, TurnAborted
from code_core.protocol.ops import InputItem, Interrupt, UserInput
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_mcp_server.errors import SessionBusy, UnknownSession

INTERRUPT_SECONDS = 5.0

OnEvent = Callable[[Conversation, Event], Awaitable[None]]
TurnEnd = TaskComplete | TurnAborted | ErrorEvent


@dataclass(slots=True)
class Session:
    """A conversation that takes one prompt at a time."""

    conversation: Conversation
    configured: SessionConfigured
    busy: bool = False

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return self.conversation.id

    async def prompt(self, items: list[InputItem], on_event: OnEvent) -> TurnEnd:
        """Run one turn; every event of it goes to `on_event`. Cancelling this interrupts the turn.

        Raises:
            SessionBusy: a turn is running.
        """
        if self.busy:
            raise SessionBusy(f"session {self.id} is still working on a prompt: cancel it or wait for it")
        self.busy = True
        try:
            submission = await self.conversation.submit(UserInput(items=items))
            return await self._until_end(submission, on_event)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(INTERRUPT_SECONDS, shield=True):
                await self.conversation.submit(Interrupt())
                await self._until_end(submission, _ignore)
            raise
        finally:
            self.busy = False

    async def cancel(self) -> None:
        """Stop the running turn, if there is one; its prompt ends with `TurnAborted`."""
        await self.conversation.submit(Interrupt())

    async def _until_end(self, submission: str, on_event: OnEvent) -> TurnEnd:
        async for event in self.conversation.events():
            await on_event(self.conversation, event)
            if event.id == submission and isinstance(event.msg, TaskComplete | TurnAborted | ErrorEvent):
                return event.msg
        return ErrorEvent(message=f"session {self.id} has ended")


async def _ignore(conversation: Conversation, event: Event) -> None:
    """Take an event that nobody waits for any more."""


@dataclass(slots=True)
class SessionPool:
    """The sessions of one server."""

    manager: ConversationManager
    tasks: TaskGroup
    sessions: dict[str, Session] = field(default_factory=dict)

    async def open(self, overrides: ConfigOverrides) -> Session:
        """A new session.

        Raises:
            ConfigError: the settings are wrong.
        """
        conversation = await self.manager.new(overrides)
        session: Session = await self.tasks.start(self._own, conversation)
        self.sessions[session.id] = session
        return session

    def find(self, session_id: str) -> Session:
        """The session of that id.

        Raises:
            UnknownSession: there is none.
        """
        session = self.sessions.get(session_id)
        if session is None:
            raise UnknownSession(f"no session has the id {session_id!r}: start one with codex or session/new")
        return session

    async def _own(self, conversation: Conversation, *, task_status: TaskStatus[Any]) -> None:
        async with conversation:
            first = await anext(aiter(conversation.events()))
            assert isinstance(first.msg, SessionConfigured)  # noqa: S101 - always the first event
            task_status.started(Session(conversation, first.msg))
            await anyio.sleep_forever()


@asynccontextmanager
async def session_pool(manager: ConversationManager) -> AsyncIterator[SessionPool]:
    """A pool whose conversations end, with their commands, when the context does."""
    async with anyio.create_task_group() as tasks:
        yield SessionPool(manager, tasks)
        tasks.cancel_scope.cancel()
