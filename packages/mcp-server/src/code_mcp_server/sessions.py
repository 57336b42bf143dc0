"""Live conversations, each owned by its own task so that it outlives the call that created it."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import anyio
from anyio.abc import TaskGroup, TaskStatus

from code_core.config.load import NO_OVERRIDES, ConfigOverrides
from code_core.protocol.events import SessionConfigured
from code_core.protocol.ops import InputItem, Interrupt, UserInput
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.store.errors import SessionNotFound
from code_core.view.append_only import AppendOnly
from code_mcp_server.errors import SessionBusy, TooManySessions, UnknownSession
from code_mcp_server.turns import OnEvent, Turn, TurnEnd

_log = logging.getLogger("code_core")

SOURCE = "mcp"


@dataclass(slots=True)
class Session:
    """A conversation that handles one prompt at a time.

    Attributes:
        turn: the running turn, or one that waits for answers from a later request.
        append_only: adapts its events, because clients cannot withdraw text.
    """

    conversation: Conversation
    configured: SessionConfigured
    turn: Turn | None = None
    append_only: AppendOnly = field(default_factory=AppendOnly)
    closed: anyio.Event = field(default_factory=anyio.Event)

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return self.conversation.id

    @property
    def busy(self) -> bool:
        """Whether a turn is running or waiting for answers."""
        return self.turn is not None and self.turn.end is None

    async def begin(self, items: list[InputItem]) -> Turn:
        """Start a turn, replacing one that only waits for answers. The caller must follow it to get its events.

        Raises:
            SessionBusy: a turn is running.
        """
        if self.turn is not None and self.turn.end is None:
            if self.turn.followed:
                raise SessionBusy(f"session {self.id} is still working on a prompt: cancel it or wait for it")
            await self.turn.interrupt()
        turn = self.turn = Turn(self.conversation)
        await turn.submit(UserInput(items=items))
        return turn

    async def prompt(self, items: list[InputItem], on_event: OnEvent) -> TurnEnd:
        """Run one turn, passing its events to `on_event`. Cancelling this interrupts the turn.

        Raises:
            SessionBusy: a turn is running.
        """
        turn = await self.begin(items)
        return await turn.run(on_event)

    async def cancel(self) -> None:
        """Stop the running turn, if any; its prompt ends with `TurnAborted`."""
        await self.conversation.submit(Interrupt())


@dataclass(slots=True)
class SessionPool:
    """The sessions of one server, least recently used first.

    Attributes:
        limit: the maximum number; beyond it, the one idle longest is closed.
    """

    manager: ConversationManager
    tasks: TaskGroup
    sessions: dict[str, Session] = field(default_factory=dict)
    limit: int = 256
    _resuming: anyio.Lock = field(default_factory=anyio.Lock)

    async def open(self, overrides: ConfigOverrides, parts: Parts | None = None) -> Session:
        """Open a new session.

        Raises:
            ConfigError: the settings are invalid.
            TooManySessions: the limit is reached, and all are busy.
        """
        self._make_room()
        return await self._started(await self.manager.new(overrides, parts or Parts(source=SOURCE)))

    def find(self, session_id: str) -> Session:
        """Return the live session with that id.

        Raises:
            UnknownSession: no such session is open.
        """
        session = self.sessions.get(session_id)
        if session is None:
            raise UnknownSession(
                f"no session has the id {session_id[:100]!r}: start one with codex or session/new"
            )
        self.sessions[session_id] = self.sessions.pop(session_id)
        return session

    async def find_or_resume(self, session_id: str) -> Session:
        """Return the session with that id, resuming it from the store if an earlier process left it there.

        Raises:
            UnknownSession: no live or stored session has that id.
            SessionInUse: another process has it open.
            StoreError: it cannot be read.
            TooManySessions: the limit is reached, and all are busy.
        """
        async with self._resuming:  # concurrent calls must not open it twice
            if session_id in self.sessions or not _is_uuid(session_id):  # paths and names are not accepted
                return self.find(session_id)
            self._make_room()
            try:
                conversation = await self.manager.resume(session_id, NO_OVERRIDES, Parts(source=SOURCE))
            except SessionNotFound:
                return self.find(session_id)
            return await self._started(conversation)

    async def _started(self, conversation: Conversation) -> Session:
        session: Session = await self.tasks.start(self._own, conversation)
        self.sessions[session.id] = session
        return session

    def _make_room(self) -> None:
        """Make room for a session: close an idle one, or else one whose client has not returned with answers."""
        if len(self.sessions) < self.limit:
            return
        quiet = [session for session in self.sessions.values() if not session.busy] or [
            session
            for session in self.sessions.values()
            if session.turn is not None and not session.turn.followed
        ]
        if not quiet:
            raise TooManySessions(f"{self.limit} sessions are working on prompts: cancel one or wait")
        del self.sessions[quiet[0].id]
        quiet[0].closed.set()

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
            _log.exception("session %s failed", session.id)  # the other sessions continue
            self.sessions.pop(session.id, None)


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


@asynccontextmanager
async def session_pool(manager: ConversationManager) -> AsyncIterator[SessionPool]:
    """Provide a pool whose conversations and commands end with the context."""
    async with anyio.create_task_group() as tasks:
        yield SessionPool(manager, tasks)
        tasks.cancel_scope.cancel()
