"""A session that a client works with: one prompt at a time, changes of its settings, its end."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskStatus

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.commands import Show, carried_out
from code_core.context.server_prompts import BadPromptCommand
from code_core.errors import ConversationError
from code_core.protocol.events import Event
from code_core.protocol.ops import InputItem, Interrupt, Op, OverrideTurnContext, UserInput
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged
from code_core.session.conversation import Conversation
from code_core.session.servers.prompts import get_server_prompt
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.custom_commands import CustomCommands
from code_mcp_server.acp.event_feed import EventFeed
from code_mcp_server.acp.session_info import SessionInfo
from code_mcp_server.acp.turns import Turn
from code_mcp_server.acp.workspace import Workspace
from code_mcp_server.jsonrpc import Code, JsonObject, RpcError

_log = logging.getLogger("code_core")

INTERRUPT_SECONDS = 5.0


@dataclass(slots=True)
class _Change:
    """A pending change of settings."""

    quiet: bool
    done: anyio.Event = field(default_factory=anyio.Event)


class OpenSession:
    """See the module.

    Args:
        conversation: runs the session; entered by `run`.
        workspace: the settings and directories that it was opened with.
        connection: the connection to the client.
        client: the client's capabilities.
    """

    def __init__(
        self,
        conversation: Conversation,
        workspace: Workspace,
        connection: Connection,
        client: ClientCapabilities,
    ) -> None:
        self.workspace = workspace
        self.conversation = conversation
        self.info = SessionInfo(conversation.id)
        self._custom = CustomCommands(workspace.config.home.path)
        self.feed = EventFeed(conversation, self.info, self._custom, connection, client)
        self._changes: dict[str, _Change] = {}
        self._closing = anyio.Event()
        self.closed = anyio.Event()

    @property
    def id(self) -> str:
        """The session's id."""
        return self.conversation.id

    @property
    def is_busy(self) -> bool:
        """Whether a prompt is being answered."""
        return self.feed.turn is not None

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run the session until it is closed; signals its start once the settings are known."""
        started = False
        try:
            async with self.conversation, anyio.create_task_group() as self._tasks:
                reader = self.conversation.follow()
                snapshot = (await anext(reader)).msg
                reader.close()
                assert isinstance(snapshot, SessionSnapshot)  # noqa: S101 - always the first event of a reader
                self.feed.opened(snapshot)
                self._tasks.start_soon(self._follow)
                task_status.started()
                started = True
                await self._closing.wait()
                self._tasks.cancel_scope.cancel()
        except Exception:
            if not started:
                raise
            _log.exception("session %s failed", self.id)  # the others continue
        finally:
            self._closing.set()
            self._release()
            self.closed.set()

    async def close(self) -> None:
        """Stop whatever runs and close the session; its record stays."""
        if (turn := self.feed.turn) is not None:
            self.cancel()
            with anyio.move_on_after(INTERRUPT_SECONDS):
                await turn.ended.wait()
        self._closing.set()
        await self.closed.wait()
        if turn is not None:
            with anyio.move_on_after(INTERRUPT_SECONDS):
                await turn.reported.wait()

    async def prompt(self, items: Sequence[InputItem]) -> str:
        """Answer a prompt; return the stop reason once all output of the turn is sent. Cancelling interrupts it.

        Raises:
            RpcError: another prompt is being answered, or this one failed.
        """
        if self.feed.turn is not None:
            raise RpcError(
                Code.INVALID_REQUEST, "the session is still answering a prompt: cancel it or wait for it"
            )
        turn = self.feed.turn = Turn()
        self.feed.was_prompted = True
        self.info.prompted(items)
        if self._custom.changed() and not self._closing.is_set():
            self._tasks.start_soon(self.feed.list_commands)
        try:
            what = await self._input_of(items, turn)
            if turn.cancelled:
                return turn.stop_reason()
            if isinstance(what, Show):
                await self.feed.send(self.info.shown(what))
                return "end_turn"
            turn.submission = await self._submit(what)
            await self.feed.send_held()
            await turn.ended.wait()
        finally:
            if turn.submission and turn.end is None:
                await self._interrupt(turn)
            if turn.submission and turn.end is None:
                with anyio.move_on_after(INTERRUPT_SECONDS, shield=True):
                    await self.feed.give_up()
            turn.ended.set()
            turn.reported.set()
            self.feed.turn = None
        return turn.stop_reason()

    async def _input_of(self, items: Sequence[InputItem], turn: Turn) -> Op | Show:
        """Return what a prompt does; the result has no meaning once the turn is cancelled."""
        with turn.preparing:
            return (
                await self._server_prompt(items) or await self._custom.input_of(items) or carried_out(items)
            )
        return carried_out(items)

    async def _server_prompt(self, items: Sequence[InputItem]) -> UserInput | None:
        """Return the input if a prompt is a command for an MCP server's prompt, otherwise None.

        Raises:
            RpcError: arguments are missing, or the server does not provide the prompt.
        """
        try:
            query = self._custom.query_of(items)
        except BadPromptCommand as error:
            raise RpcError(Code.INVALID_PARAMS, str(error)) from None
        if query is None:
            return None
        try:
            return UserInput(items=[*await get_server_prompt(self.conversation, query), *items[1:]])
        except (BadPromptCommand, ConversationError) as error:
            raise RpcError(Code.INTERNAL_ERROR, str(error)) from None

    def cancel(self) -> None:
        """Stop the prompt being answered, if any."""
        if (turn := self.feed.turn) is None:
            return
        turn.cancelled = True
        turn.preparing.cancel()
        turn.withdraw_questions()
        if not self._closing.is_set():
            self._tasks.start_soon(self._submit_quietly, Interrupt())

    async def change(self, op: OverrideTurnContext, *, quiet: bool = False) -> None:
        """Change settings and, unless `quiet`, send the client the new ones.

        Raises:
            RpcError: the session has ended.
        """
        submission = await self._submit(op)
        changed = self._changes[submission] = _Change(quiet)
        await changed.done.wait()

    async def _follow(self) -> None:
        try:
            await self.feed.run(self._tasks, self._changed_by)
        finally:
            self._closing.set()

    def _release(self) -> None:
        """Wake everything that waits for events that will not come."""
        if self.feed.turn is not None:
            self.feed.turn.ended.set()
        for change in self._changes.values():
            change.done.set()

    def _changed_by(self, event: Event) -> Iterator[JsonObject]:
        """Yield the updates for a change of settings, then wake the request that waits for it."""
        if not isinstance(event.msg, SettingsChanged):
            return
        change = self._changes.get(event.id)
        if change is None or not change.quiet:
            yield from self.info.settings_updates()
        if change is not None:
            del self._changes[event.id]
            change.done.set()

    async def _submit(self, op: Op) -> str:
        if self._closing.is_set():
            raise RpcError(Code.NOT_FOUND, "the session was closed", {"sessionId": self.id})
        try:
            return await self.conversation.submit(op)
        except ConversationError as error:
            raise RpcError(Code.INVALID_REQUEST, str(error)) from None

    async def _submit_quietly(self, op: Op) -> None:
        with suppress(ConversationError):
            await self.conversation.submit(op)

    async def _interrupt(self, turn: Turn) -> None:
        """End a turn that nobody waits for any more, so that the next prompt sees only its own events."""
        with anyio.move_on_after(INTERRUPT_SECONDS, shield=True):
            turn.withdraw_questions()
            await self._submit_quietly(Interrupt())
            await turn.ended.wait()
