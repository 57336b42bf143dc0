"""An open session of a client: handles one prompt at a time, sends events as updates, and asks questions."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import anyio
from anyio.abc import TaskStatus

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.commands import BUILT_IN, Show, available_commands, carried_out
from code_core.acp.updates import UpdateTranslator
from code_core.context.server_prompts import BadPromptCommand
from code_core.errors import ConversationError
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import Event, WarningEvent
from code_core.protocol.mcp_events import (
    ElicitationComplete,
    ElicitationRequest,
    McpGetPromptResponse,
    McpListPromptsResponse,
    McpOffersChanged,
    McpServerStatus,
)
from code_core.protocol.ops import InputItem, Interrupt, ListMcpPrompts, Op, OverrideTurnContext, UserInput
from code_core.protocol.question_events import RequestUserInput
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged
from code_core.session.conversation import Conversation
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.custom_commands import CustomCommands
from code_mcp_server.acp.questions import Question, Questioner
from code_mcp_server.acp.session_info import SessionInfo
from code_mcp_server.acp.turns import Turn
from code_mcp_server.acp.workspace import Workspace
from code_mcp_server.jsonrpc import Code, JsonObject, RpcError

_log = logging.getLogger("code_core")

INTERRUPT_SECONDS = 5.0
MOST_HELD = 20
"""Limit on notices waiting for the next prompt."""


@dataclass(slots=True)
class _Change:
    """A pending change of settings."""

    quiet: bool
    made: anyio.Event = field(default_factory=anyio.Event)


@dataclass(slots=True)
class _PromptWanted:
    """A pending request for an MCP server's prompt."""

    answered: anyio.Event = field(default_factory=anyio.Event)
    response: McpGetPromptResponse | None = None


class OpenSession:
    """See the module.

    Args:
        conversation: the conversation, entered by `run`.
        workspace: the parameters it was opened with.
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
        self._connection = connection
        self._client = client
        self._translator = UpdateTranslator(client)
        self._custom = CustomCommands(workspace.config.home.path)
        self._questions = Questioner(conversation, connection, client)
        self._turn: Turn | None = None
        self._held: list[JsonObject] = []
        self._changes: dict[str, _Change] = {}
        self._prompts: dict[str, _PromptWanted] = {}
        self._begun = False
        self._closing = anyio.Event()
        self.closed = anyio.Event()

    @property
    def id(self) -> str:
        """The session's id."""
        return self.conversation.id

    @property
    def is_busy(self) -> bool:
        """Whether a prompt is being answered."""
        return self._turn is not None

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        """Run the session until it is closed; signals its start once the settings are known."""
        started = False
        try:
            async with self.conversation, anyio.create_task_group() as self._tasks:
                reader = self.conversation.follow()
                snapshot = (await anext(reader)).msg
                reader.close()
                assert isinstance(snapshot, SessionSnapshot)  # noqa: S101 - always the first event of a reader
                self.info.opened(snapshot)
                self._tasks.start_soon(self._pump)
                task_status.started()
                started = True
                await self._closing.wait()
                self._tasks.cancel_scope.cancel()
        except Exception:
            if not started:
                raise
            _log.exception("session %s failed", self.id)  # the other sessions continue
        finally:
            self._closing.set()
            self._release()
            self.closed.set()

    async def close(self) -> None:
        """Stop whatever runs and close the session; its record stays."""
        if (turn := self._turn) is not None:
            self.cancel()
            with anyio.move_on_after(INTERRUPT_SECONDS):
                await turn.ended.wait()
        self._closing.set()
        await self.closed.wait()

    async def prompt(self, items: Sequence[InputItem]) -> str:
        """Answer a prompt and return the stop reason after all output was sent. Cancelling interrupts the turn.

        Raises:
            RpcError: another prompt is being answered, or this one failed.
        """
        if self._turn is not None:
            raise RpcError(
                Code.INVALID_REQUEST, "the session is still answering a prompt: cancel it or wait for it"
            )
        turn = self._turn = Turn()
        self._begun = True
        self.info.prompted(items)
        if self._custom.changed() and not self._closing.is_set():
            self._tasks.start_soon(self.list_commands)
        try:
            what = (
                await self._server_prompt(items) or await self._custom.input_of(items) or carried_out(items)
            )
            if turn.cancelled:
                return turn.stop_reason()
            if isinstance(what, Show):
                await self.send(self.info.shown(what))
                return "end_turn"
            turn.submission = await self._submit(what)
            held, self._held = self._held, []
            for update in held:
                await self.send(update)
            await turn.ended.wait()
        finally:
            if turn.submission and turn.end is None:
                await self._interrupt(turn)
            turn.ended.set()
            self._turn = None
        return turn.stop_reason()

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
        wanted = self._prompts[await self._submit(query)] = _PromptWanted()
        await wanted.answered.wait()
        if self._turn is not None and self._turn.cancelled:
            return None
        if wanted.response is None or wanted.response.error is not None:
            why = wanted.response.error if wanted.response is not None else "the session has ended"
            raise RpcError(Code.INTERNAL_ERROR, f"cannot get the prompt {query.name!r}: {why}")
        return UserInput(items=[*wanted.response.items, *items[1:]])

    def cancel(self) -> None:
        """Stop the prompt being answered, if any."""
        if (turn := self._turn) is not None:
            turn.cancelled = True
            turn.withdraw_questions()
            for wanted in self._prompts.values():
                wanted.answered.set()
        if turn is not None and not self._closing.is_set():
            self._tasks.start_soon(self._submit_quietly, Interrupt())

    async def change(self, op: OverrideTurnContext, *, quiet: bool = False) -> None:
        """Change settings and report them to the client, unless `quiet`.

        Raises:
            RpcError: the session has ended.
        """
        submission = await self._submit(op)
        changed = self._changes[submission] = _Change(quiet)
        await changed.made.wait()

    async def list_commands(self) -> None:
        """Send the client the list of available commands."""
        custom, warnings = await self._custom.listed()
        self.hold(*warnings)
        await self.send(available_commands((*BUILT_IN, *custom)))

    def hold(self, *warnings: str) -> None:
        """Show these warnings with the next prompt."""
        for warning in warnings:
            self._hold(self._translator.updates(WarningEvent(message=warning)))

    async def send(self, update: JsonObject) -> None:
        """Send one update."""
        await self._connection.notify("session/update", {"sessionId": self.id, "update": update})

    async def _pump(self) -> None:
        try:
            async for event in self.conversation.events():
                await self._show(event)
        finally:
            self._closing.set()

    def _release(self) -> None:
        """Wake everything that waits for events that will not come."""
        if self._turn is not None:
            self._turn.ended.set()
        for change in self._changes.values():
            change.made.set()
        for wanted in self._prompts.values():
            wanted.answered.set()

    async def _show(self, event: Event) -> None:
        turn = self._turn if self._turn is not None and self._turn.end is None else None
        self.info.observe(event.msg)
        updates = self._translator.updates(event.msg)
        if turn is None:
            self._hold(updates)
        else:
            for update in updates:
                await self.send(update)
        match event.msg:
            case (
                ExecApprovalRequest()
                | ApplyPatchApprovalRequest()
                | ElicitationRequest()
                | RequestUserInput()
            ) as question:
                if turn is not None and not turn.cancelled:
                    turn.ask(self._tasks, partial(self._ask, question))
            case ElicitationComplete(id=elicitation) if self._client.urls:
                await self._connection.notify("elicitation/complete", {"elicitationId": elicitation})
            case SettingsChanged():
                await self._settings_changed(event.id)
            case McpServerStatus(status="ready"):
                await self._submit_quietly(ListMcpPrompts())
            case McpOffersChanged(kinds=kinds) if "prompts" in kinds:
                await self._submit_quietly(ListMcpPrompts())
            case McpListPromptsResponse(prompts=prompts):
                self._custom.take(prompts)
                if (
                    self._custom.were_listed
                    and self._custom.changed()
                    and (turn is not None or not self._begun)
                ):
                    await (
                        self.list_commands()
                    )  # otherwise with the next prompt, because clients expect no updates until then
            case McpGetPromptResponse() as response if event.id in self._prompts:
                wanted = self._prompts.pop(event.id)
                wanted.response = response
                wanted.answered.set()
            case _:
                pass
        if turn is not None and (end := turn.end_in(event)) is not None:
            await turn.questions_withdrawn()
            if (titled := self.info.new_title()) is not None:
                await self.send(titled)
            turn.end = end
            turn.ended.set()

    async def _settings_changed(self, submission: str) -> None:
        change = self._changes.get(submission)
        if change is None or not change.quiet:
            for update in self.info.settings_updates():
                await self.send(update)
        if change is not None:
            del self._changes[submission]  # only now, because this may be cancelled
            change.made.set()

    def _hold(self, updates: Iterable[JsonObject]) -> None:
        """Keep updates for the user until the next prompt, because clients expect none in between."""
        self._held += [one for one in updates if one["sessionUpdate"] in {"notice", "agent_thought_chunk"}]
        del self._held[:-MOST_HELD]

    async def _ask(self, question: Question) -> None:
        answer = await self._questions.ask(question)
        if answer.denied_call is not None:
            for update in self._translator.denied(answer.denied_call):
                await self.send(update)
        await self._submit_quietly(answer.op)

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
        """End an abandoned turn, so that the next prompt sees only its own events."""
        with anyio.move_on_after(INTERRUPT_SECONDS, shield=True):
            turn.withdraw_questions()
            await self._submit_quietly(Interrupt())
            await turn.ended.wait()
