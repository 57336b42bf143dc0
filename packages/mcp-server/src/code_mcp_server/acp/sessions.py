"""The sessions of one connection: opens, loads, lists, closes and deletes them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.replay import ReplayTranslator
from code_core.config.load import ConfigOverrides
from code_core.files.texts import TextFileSystem
from code_core.model.catalog import suggested_models
from code_core.session.conversation import Conversation
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.session.stored.opening import store_of
from code_core.store.errors import SessionInUse, SessionNotFound, StoreError
from code_core.store.layout import is_session_id
from code_core.store.listing import Query
from code_core.store.record import SessionRecord
from code_mcp_server.acp.client_texts import ClientTexts
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.open_session import OpenSession
from code_mcp_server.acp.replay import replay
from code_mcp_server.acp.session_params import SessionParams
from code_mcp_server.acp.session_settings import SessionSettings
from code_mcp_server.acp.workspace import Workspace, require_key
from code_mcp_server.jsonrpc import Code, JsonObject, RpcError

MOST_SESSIONS = 256
PAGE = 50
EMPTY_SECONDS = 24 * 3600.0
"""How long a session without a prompt stays in lists."""
HELD_SECONDS = 2.0
"""How long to wait for another process to release a session: clients start the next agent immediately."""


@dataclass(slots=True)
class Sessions:
    """See the module.

    Attributes:
        tasks: runs the sessions.
        overrides: settings for every session.
        logged_out: whether the user logged out, so that no session is opened before the next `authenticate`.
    """

    manager: ConversationManager
    connection: Connection
    client: ClientCapabilities
    overrides: ConfigOverrides
    tasks: TaskGroup
    logged_out: bool = False
    _open: dict[str, OpenSession] = field(default_factory=dict)
    _directories: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    _opening: int = 0
    _locks: dict[str, anyio.Lock] = field(default_factory=dict)

    def find(self, session_id: str) -> OpenSession:
        """Return the open session with that id.

        Raises:
            RpcError: no such session is open.
        """
        if (session := self._open.get(session_id)) is None:
            raise not_found(session_id)
        return session

    def cancel(self, session_id: object) -> None:
        """Stop the prompt of a session, if any."""
        if isinstance(session_id, str) and (session := self._open.get(session_id)) is not None:
            session.cancel()

    async def new(self, params: SessionParams) -> OpenSession:
        """Open a session, which other processes can resume from now on.

        Raises:
            CodeError: the settings are invalid, or the session cannot be recorded.
        """
        session_id = str(uuid4())
        with self._counted():
            workspace = self._workspace(params)
            parts = self._parts(session_id, workspace)
            conversation = await self.manager.new(workspace.overrides, parts)
            return await self._opened(conversation, workspace)

    async def load(self, session_id: str, params: SessionParams, *, show: bool) -> OpenSession:
        """Open a stored session to continue it; with `show`, the client first receives all of it.

        Raises:
            RpcError: the session does not exist or is in use.
            CodeError: it cannot be read.
        """
        async with self._one_at_a_time(session_id):
            record = await self._record(session_id)
            if (session := self._open.get(session_id)) is not None:
                if session.is_busy:
                    raise RpcError(Code.INVALID_REQUEST, "the session is answering a prompt: cancel it first")
                await self._close(session)
            with self._counted():
                workspace = self._workspace(params)
                parts = self._parts(session_id, workspace)
                resume = partial(self.manager.resume, session_id, workspace.overrides, parts)
                conversation = await _when_free(resume)
                try:
                    if show:
                        translator = ReplayTranslator(params.cwd, self.client)
                        await replay(record.path, translator, partial(self._send, session_id))
                except BaseException:
                    with anyio.CancelScope(shield=True):
                        await conversation.discard()
                    raise
                return await self._opened(conversation, workspace)

    async def listed(self, cwd: Path | None, cursor: str | None) -> JsonObject:
        """Return a page of the stored sessions, newest first; those without a turn are listed for a day.

        Raises:
            RpcError: the cursor is invalid.
        """
        query = Query(limit=PAGE, cursor=cursor, cwd=cwd, empty=True)
        try:
            page = await anyio.to_thread.run_sync(lambda: store_of().list(query))
        except StoreError as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        oldest = (time.time() - EMPTY_SECONDS) * 1e9
        shown = [self._shown(one) for one in page.sessions if one.preview or one.updated_ns > oldest]
        return {"sessions": shown} | ({} if page.next_cursor is None else {"nextCursor": page.next_cursor})

    async def close(self, session_id: str) -> None:
        """End a session and what it runs; its record stays. Has no effect if it is stored but not open.

        Raises:
            RpcError: the session does not exist.
        """
        async with self._one_at_a_time(session_id):
            if (session := self._open.get(session_id)) is not None:
                await self._close(session)
            else:
                await self._record(session_id)

    async def delete(self, session_id: str) -> None:
        """Delete a session with its record.

        Raises:
            RpcError: the session does not exist.
            StoreError: another process has it open, or it cannot be deleted.
        """
        async with self._one_at_a_time(session_id):
            if (session := self._open.get(session_id)) is not None:
                await self._close(session)
            try:
                record = await self._record(session_id)
            except RpcError:
                if session is not None:  # it was kept only in memory
                    return
                raise
            await anyio.to_thread.run_sync(lambda: store_of().delete(record))

    @asynccontextmanager
    async def _one_at_a_time(self, session_id: str) -> AsyncIterator[None]:
        """Serialise requests that open, close or delete the same session, in order of arrival."""
        lock = self._locks.setdefault(session_id, anyio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and not lock.statistics().tasks_waiting:
                self._locks.pop(session_id, None)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a session as open while the block opens it.

        Raises:
            RpcError: too many sessions are open.
        """
        if len(self._open) + self._opening >= MOST_SESSIONS:
            raise RpcError(Code.INVALID_REQUEST, f"{MOST_SESSIONS} sessions are open: close one first")
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    async def _close(self, session: OpenSession) -> None:
        if self._open.pop(session.id, None) is session:
            self._directories.pop(session.id, None)
        with anyio.CancelScope(shield=True):
            await session.close()

    def _workspace(self, params: SessionParams) -> Workspace:
        workspace = Workspace.of(self.overrides, params)
        if self.logged_out:
            raise RpcError(Code.AUTH_REQUIRED, "you have logged out: authenticate again")
        require_key(workspace.config)
        return workspace

    def _parts(self, session_id: str, workspace: Workspace) -> Parts:
        files = None
        if self.client.read_files or self.client.write_files:
            files = TextFileSystem(ClientTexts(self.connection, session_id, self.client))
        return Parts(
            file_system=files,
            mcp_servers=workspace.params.servers,
            session_id=session_id,
            source="acp",
            recorded_at_once=True,
            asks_user=self.client.forms,
            opens_urls=self.client.urls,
        )

    async def _opened(self, conversation: Conversation, workspace: Workspace) -> OpenSession:
        session = OpenSession(conversation, workspace, self.connection, self.client)
        config = workspace.config
        session.info.offer(
            (config.approval_policy.value, config.sandbox_policy.mode),
            [*dict.fromkeys((config.model, *suggested_models(config.provider.id)))],
        )
        session.feed.hold(*workspace.params.unusable)
        await self.tasks.start(session.run)
        await SessionSettings(session).use_directories()
        self._open[session.id] = session
        self._directories[session.id] = workspace.params.directories
        self.tasks.start_soon(self._forget_when_closed, session)
        return session

    async def _forget_when_closed(self, session: OpenSession) -> None:
        await session.closed.wait()
        if self._open.get(session.id) is session:
            del self._open[session.id]

    async def _record(self, session_id: str) -> SessionRecord:
        """The stored session; only a complete id may reach the file system.

        Raises:
            RpcError: the session does not exist.
        """
        if not is_session_id(session_id):
            raise not_found(session_id)
        try:
            return await anyio.to_thread.run_sync(lambda: store_of().find(session_id))
        except SessionNotFound:
            raise not_found(session_id) from None

    async def _send(self, session_id: str, update: JsonObject) -> None:
        await self.connection.notify("session/update", {"sessionId": session_id, "update": update})

    def _shown(self, record: SessionRecord) -> JsonObject:
        updated = datetime.fromtimestamp(record.updated_ns / 1e9, UTC).isoformat(timespec="seconds")
        title = {"title": record.name or record.preview} if record.name or record.preview else {}
        return {
            "sessionId": record.id,
            "cwd": record.cwd or "/",
            **title,
            "updatedAt": updated.replace("+00:00", "Z"),
            **self._roots(record.id),
        }

    def _roots(self, session_id: str) -> JsonObject:
        directories = self._directories.get(session_id)
        return {"additionalDirectories": list(map(str, directories))} if directories else {}


def not_found(session_id: str) -> RpcError:
    """Return the error for a session that does not exist."""
    return RpcError(Code.NOT_FOUND, "session not found", {"sessionId": session_id[:200]})


async def _when_free(resume: Callable[[], Awaitable[Conversation]]) -> Conversation:
    """Call `resume`, retrying for a while if another process has the session.

    Raises:
        SessionInUse: it is still in use.
    """
    deadline = anyio.current_time() + HELD_SECONDS
    while True:
        try:
            return await resume()
        except SessionInUse:
            if anyio.current_time() > deadline:
                raise
        await anyio.sleep(0.05)
