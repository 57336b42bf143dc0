"""The MCP server: `codex`, `codex-reply` and the `session/*` tools over one engine."""

import json
import logging
from dataclasses import dataclass, field
from typing import Any, Literal

from anyio.abc import TaskGroup
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    NotificationParams,
    PaginatedRequestParams,
    TextContent,
)

from code_core.acp.content import input_items
from code_core.acp.updates import UpdateTranslator
from code_core.errors import CodeError
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.events import ErrorEvent, Event, TaskComplete, TurnAborted
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ExecApproval, InputItem, PatchApproval, TextInput
from code_core.session.conversation import Conversation
from code_core.version import VERSION
from code_core.view.append_only import AppendOnly
from code_mcp_server import approvals
from code_mcp_server.arguments import (
    CancelArguments,
    CodexArguments,
    CodexReplyArguments,
    NewSessionArguments,
    PromptArguments,
    parse,
)
from code_mcp_server.errors import McpServerError, ToolHidden
from code_mcp_server.sessions import Session, SessionPool
from code_mcp_server.tools import codex_tools, session_tools

_log = logging.getLogger("code_core")

HIDDEN = "the session/* tools are not enabled: start the server with -c acp.enabled=true"


class CancelParams(NotificationParams, CancelArguments):
    """Params of the notification `session/cancel`."""


@dataclass(slots=True)
class ToolServer:
    """Answers tool calls. One instance serves one connection.

    Args:
        pool: the conversations.
        acp_enabled: list the `session/*` tools: always, never, or for clients that ask (`auto`).
    """

    pool: SessionPool
    acp_enabled: Literal["auto"] | bool = "auto"
    connection: Connection | None = field(default=None)

    def server(self) -> "Server[Any]":
        """The SDK's server over this instance."""
        server: Server[Any] = Server(
            "code",
            version=VERSION,
            title="Code for Python",
            instructions="Gives tasks to a coding agent that reads and changes files and runs commands.",
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
        )
        server.add_notification_handler("session/cancel", CancelParams, self._on_cancel)
        return server

    async def _list_tools(
        self, _: ServerRequestContext[Any], __: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=codex_tools() + (session_tools() if self._sessions_listed() else []))

    async def _call_tool(
        self, context: ServerRequestContext[Any], params: CallToolRequestParams
    ) -> CallToolResult:
        request_id = str(context.request_id)
        try:
            return await self._dispatch(params.name, params.arguments, request_id)
        except (McpServerError, CodeError) as error:
            return _failure(str(error))

    async def _dispatch(self, name: str, arguments: dict[str, Any] | None, request_id: str) -> CallToolResult:
        if name.startswith("session/") and not self._sessions_listed():
            raise ToolHidden(HIDDEN)
        match name:
            case "codex":
                new = parse(CodexArguments, arguments)
                session = await self.pool.open(new.overrides())
                return await self._answer(session, new.prompt, request_id)
            case "codex-reply":
                reply = parse(CodexReplyArguments, arguments)
                return await self._answer(self.pool.find(reply.conversation_id), reply.prompt, request_id)
            case "session/new":
                opened = await self.pool.open(parse(NewSessionArguments, arguments).overrides())
                return _success(_session_state(opened))
            case "session/prompt":
                prompt = parse(PromptArguments, arguments)
                session = self.pool.find(prompt.session_id)
                return await self._prompt(session, input_items(prompt.prompt), request_id)
            case "session/cancel":
                await self.pool.find(parse(CancelArguments, arguments).session_id).cancel()
                return _success({})
            case _:
                return _failure(f"unknown tool: {name}")

    async def _answer(self, session: Session, prompt: str, request_id: str) -> CallToolResult:
        """Run a turn for `codex` and `codex-reply`: the final message, and which conversation to go on with."""
        turn = _TurnRelay(self._connected(), request_id, session.append_only)
        end = await session.prompt([TextInput(text=prompt)], turn.on_event)
        match end:
            case TaskComplete(last_agent_message=message):
                return _success({"conversationId": session.id, "content": message or ""}, message or "")
            case TurnAborted(reason=reason):
                return _failure(f"the turn was {reason}", {"conversationId": session.id, "content": ""})
            case ErrorEvent(message=message):
                return _failure(message, {"conversationId": session.id, "content": message})

    async def _prompt(self, session: Session, items: list[InputItem], request_id: str) -> CallToolResult:
        turn = _TurnRelay(self._connected(), request_id, session.append_only, UpdateTranslator())
        match await session.prompt(items, turn.on_event):
            case TaskComplete():
                return _success({"stopReason": "end_turn"})
            case TurnAborted():
                return _success({"stopReason": "cancelled"})
            case ErrorEvent(message=message):
                return _failure(message, {"stopReason": "refusal"})

    async def _on_cancel(self, _: ServerRequestContext[Any], params: CancelParams) -> None:
        try:
            await self.pool.find(params.session_id).cancel()
        except (McpServerError, CodeError) as error:
            _log.warning("session/cancel: %s", error)

    def _sessions_listed(self) -> bool:
        if self.acp_enabled == "auto":
            params = self._connected().client_params
            experimental = (params.capabilities.experimental if params else None) or {}
            return "acp" in experimental
        return self.acp_enabled

    def _connected(self) -> Connection:
        assert self.connection is not None  # noqa: S101 - set before the first message is read
        return self.connection


@dataclass(slots=True)
class _TurnRelay:
    """Sends the events of one turn to the client and brings its approvals back."""

    connection: Connection
    request_id: str
    append_only: AppendOnly
    translator: UpdateTranslator | None = None

    async def on_event(self, conversation: Conversation, event: Event, questions: TaskGroup) -> None:
        """Notify the client of `event`; a question does not hold up the events that follow it."""
        for shown in self.append_only.numbered(event):
            params = shown.model_dump(mode="json", exclude_none=True)
            await self.connection.notify("codex/event", params | {"_meta": {"requestId": self.request_id}})
        if self.translator is not None:
            for update in self.translator.updates(event.msg):
                await self.connection.notify(
                    "session/update", {"sessionId": conversation.id, "update": update}
                )
        match event.msg:
            case ExecApprovalRequest() | ApplyPatchApprovalRequest() as request:
                questions.start_soon(self._ask, conversation, request, event.id)
            case ElicitationRequest() as question:
                questions.start_soon(self._pass_on, conversation, question)
            case _:
                pass

    async def _ask(self, conversation: Conversation, request: ApprovalRequest, event_id: str) -> None:
        answer = await approvals.decide(self.connection, request, event_id, self.request_id)
        fields = {"id": request.approval_id, "decision": answer.decision, "feedback": answer.feedback}
        if isinstance(request, ExecApprovalRequest):
            await conversation.submit(ExecApproval(**fields, rule=answer.rule))
        else:
            await conversation.submit(PatchApproval(**fields))

    async def _pass_on(self, conversation: Conversation, question: ElicitationRequest) -> None:
        answer = await approvals.pass_on(self.connection, question)
        await conversation.submit(answer)


def _session_state(session: Session) -> dict[str, Any]:
    configured = session.configured
    return {
        "sessionId": session.id,
        "modes": {
            "currentModeId": configured.sandbox_mode,
            "availableModes": [{"id": configured.sandbox_mode, "name": configured.sandbox_mode}],
        },
        "models": {
            "currentModelId": configured.model,
            "availableModels": [{"modelId": configured.model, "name": configured.model}],
        },
    }


def _success(structured: dict[str, Any], text: str | None = None) -> CallToolResult:
    shown = json.dumps(structured, ensure_ascii=False) if text is None else text
    return CallToolResult(content=[TextContent(type="text", text=shown)], structured_content=structured)


def _failure(text: str, structured: dict[str, Any] | None = None) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured, is_error=True
    )
