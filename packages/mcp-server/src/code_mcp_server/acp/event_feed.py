"""What a client sees of a session: its events as updates, its questions, and what waits for the next prompt."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from anyio.abc import TaskGroup

from code_core.acp.capabilities import ClientCapabilities
from code_core.acp.commands import BUILT_IN, available_commands
from code_core.acp.updates import UpdateTranslator
from code_core.errors import ConversationError
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import Event, EventMsg, WarningEvent
from code_core.protocol.mcp_events import (
    ElicitationComplete,
    ElicitationRequest,
    ElicitationWithdrawn,
    McpListPromptsResponse,
    McpOffersChanged,
    McpServerStatus,
)
from code_core.protocol.ops import ListMcpPrompts, Op
from code_core.protocol.question_events import RequestUserInput
from code_core.protocol.session_events import SessionSnapshot
from code_core.session.conversation import Conversation
from code_core.session.events.open_items import question_id
from code_mcp_server.acp.connection import Connection
from code_mcp_server.acp.custom_commands import CustomCommands
from code_mcp_server.acp.questions import Question, Questioner
from code_mcp_server.acp.session_info import SessionInfo
from code_mcp_server.acp.turns import Turn
from code_mcp_server.jsonrpc import JsonObject
from code_mcp_server.live_output import LiveOutput

MOST_HELD = 20
"""Limit on the notices that wait for the next prompt."""


class EventFeed:
    """See the module.

    Args:
        conversation: the session's conversation.
        info: follows its settings and its title.
        custom: the commands in addition to the built-in ones.
        connection: the connection to the client.
        client: the client's capabilities.

    Attributes:
        turn: the prompt being answered; without one, notices are held and other events are not shown.
        was_prompted: whether the session has had a prompt.
    """

    def __init__(
        self,
        conversation: Conversation,
        info: SessionInfo,
        custom: CustomCommands,
        connection: Connection,
        client: ClientCapabilities,
    ) -> None:
        self.turn: Turn | None = None
        self.was_prompted = False
        self._conversation = conversation
        self._info = info
        self._custom = custom
        self._connection = connection
        self._opens_urls = client.urls
        self._translator = UpdateTranslator(client)
        self._questions = Questioner(conversation, connection, client)
        self._held: list[JsonObject] = []

    def opened(self, snapshot: SessionSnapshot) -> None:
        """Take the state that the session begins with."""
        self._info.opened(snapshot)
        self._translator.updates(snapshot)

    async def run(self, tasks: TaskGroup, shown: Callable[[Event], Iterable[JsonObject]]) -> None:
        """Show every event until the conversation ends.

        Args:
            tasks: runs the requests to the client.
            shown: called with each event once its updates are sent; yields further updates, and is resumed
                after each of them is sent.
        """
        live = LiveOutput(self._translator, self._show_updates)
        events = self._conversation.events()
        while (event := await live.next_event(events)) is not None:
            await self._show(event, tasks, shown)

    async def send(self, *updates: JsonObject) -> None:
        """Send updates."""
        for update in updates:
            await self._connection.notify(
                "session/update", {"sessionId": self._conversation.id, "update": update}
            )

    async def list_commands(self) -> None:
        """Send the client the list of commands."""
        custom, warnings = await self._custom.listed()
        self.hold(*warnings)
        await self.send(available_commands((*BUILT_IN, *custom)))

    def hold(self, *warnings: str) -> None:
        """Show the warnings with the next prompt."""
        for warning in warnings:
            self._hold(self._translator.updates(WarningEvent(message=warning)))

    async def send_held(self) -> None:
        """Send the notices that waited for a prompt."""
        held, self._held = self._held, []
        await self.send(*held)

    async def _show(
        self, event: Event, tasks: TaskGroup, shown: Callable[[Event], Iterable[JsonObject]]
    ) -> None:
        turn = self._running_turn()
        self._info.observe(event.msg)
        await self._show_updates(self._translator.updates(event.msg))
        if turn is not None:
            self._ask_about(event.msg, turn, tasks)
        await self._follow_servers(event.msg, can_list=turn is not None or not self.was_prompted)
        for update in shown(event):  # one by one: between them `shown` learns that the last one was sent
            await self.send(update)
        if turn is not None and (end := turn.end_in(event)) is not None:
            await turn.questions_withdrawn()
            if (titled := self._info.new_title()) is not None:
                await self.send(titled)
            turn.end = end
            turn.ended.set()

    async def give_up(self) -> None:
        """End the calls of a turn whose end the engine has not reported."""
        await self.send(*self._translator.fail_open_calls())

    def _running_turn(self) -> Turn | None:
        return self.turn if self.turn is not None and self.turn.end is None else None

    async def _show_updates(self, updates: Sequence[JsonObject]) -> None:
        if self._running_turn() is None:
            self._hold(updates)
        else:
            await self.send(*updates)

    def _ask_about(self, msg: EventMsg, turn: Turn, tasks: TaskGroup) -> None:
        match msg:
            case (
                ExecApprovalRequest()
                | ApplyPatchApprovalRequest()
                | ElicitationRequest()
                | RequestUserInput()
            ) if not turn.cancelled:
                turn.ask(tasks, question_id(msg), partial(self._ask, msg))
            case ElicitationWithdrawn(id=question):
                turn.withdraw(question)
            case _:
                pass

    async def _follow_servers(self, msg: EventMsg, *, can_list: bool) -> None:
        """Pass on reports of MCP servers; a changed list that comes between prompts is sent with the next prompt."""
        match msg:
            case ElicitationComplete(id=elicitation) if self._opens_urls:
                await self._connection.notify("elicitation/complete", {"elicitationId": elicitation})
            case McpServerStatus(status="ready"):
                await self._submit(ListMcpPrompts())
            case McpOffersChanged(kinds=kinds) if "prompts" in kinds:
                await self._submit(ListMcpPrompts())
            case McpListPromptsResponse(prompts=prompts):
                self._custom.take(prompts)
                if self._custom.were_listed and self._custom.changed() and can_list:
                    await self.list_commands()
            case _:
                pass

    def _hold(self, updates: Iterable[JsonObject]) -> None:
        """Keep notices for the user, because a client expects nothing between prompts."""
        self._held += [one for one in updates if one["sessionUpdate"] in {"notice", "agent_thought_chunk"}]
        del self._held[:-MOST_HELD]

    async def _ask(self, question: Question) -> None:
        answer = await self._questions.ask(question)
        if answer.denied_call is not None:
            await self.send(*self._translator.denied(answer.denied_call))
        await self._submit(answer.op)

    async def _submit(self, op: Op) -> None:
        with suppress(ConversationError):  # it has ended, so nobody waits for this
            await self._conversation.submit(op)
