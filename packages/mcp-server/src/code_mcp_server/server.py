"""The tools `codex`, `codex-reply` and `session/*`, over one engine and for clients of both eras."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup
from pydantic import ValidationError

from code_core.acp.content import input_items
from code_core.acp.updates import UpdateTranslator
from code_core.errors import CodeError
from code_core.model.catalog import suggested_models
from code_core.protocol.events import ErrorEvent, Event, TaskComplete, TurnAborted
from code_core.protocol.mcp_events import ElicitationWithdrawn
from code_core.protocol.ops import InputItem, OverrideTurnContext, TextInput
from code_core.protocol.policies import CollaborationMode
from code_core.protocol.session_events import SessionSnapshot
from code_core.session.conversation import Conversation
from code_core.session.parts import Parts
from code_core.view.plan_tags import without_tags
from code_mcp_server import approvals
from code_mcp_server.acp.session_info import SessionInfo
from code_mcp_server.arguments import (
    CancelArguments,
    CodexArguments,
    CodexReplyArguments,
    NewSessionArguments,
    PromptArguments,
    SetModelArguments,
    parse,
)
from code_mcp_server.dialogue import Caller, TaskMethod
from code_mcp_server.eras import TASKS
from code_mcp_server.errors import McpServerError, ToolHidden, UnknownTool
from code_mcp_server.jsonrpc import Code, Notification, RpcError
from code_mcp_server.relay import Relay
from code_mcp_server.round_trips import EXPIRED, RoundTrips, digest, input_required, take_answers
from code_mcp_server.sessions import SOURCE, Session, SessionPool
from code_mcp_server.tasks import Tasks
from code_mcp_server.tools import codex_tools, session_tools
from code_mcp_server.turns import Question, Turn, TurnEnd, question_key

_log = logging.getLogger("code_core")

HIDDEN = "the session/* tools are not enabled: start the server with -c acp.enabled=true"
HOW_TO_ACCEPT = (
    "This is a plan; nothing was changed. To have it carried out, prompt the conversation again with `{}` set "
    "to `default`. To change it, prompt again and say what to change."
)
ResultForm = Literal["answer", "stop reason"]


@dataclass(slots=True)
class ToolServer:
    """Answers tool calls. One instance serves all connections of a process.

    Args:
        pool: the conversations.
        background: runs turns that are tasks.
        acp_enabled: whether to list the `session/*` tools: always, never, or for clients that ask (`auto`). Clients
            of 2026-07-28 cannot ask, because their list of tools must not vary.
    """

    pool: SessionPool
    background: TaskGroup
    acp_enabled: Literal["auto"] | bool = "auto"
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    tasks: Tasks = field(init=False)

    def __post_init__(self) -> None:
        self.tasks = Tasks(self.background)

    async def list_tools(self, caller: Caller) -> dict[str, Any]:
        """See `Tools.list_tools`."""
        tools = codex_tools() + (session_tools() if self._sessions_listed(caller) else [])
        return {"tools": tools}

    async def call_tool(self, caller: Caller, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Tools.call_tool`."""
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            raise RpcError(Code.INVALID_PARAMS, "tools/call: name must be a string")
        if arguments is not None and not isinstance(arguments, dict):
            raise RpcError(Code.INVALID_PARAMS, "tools/call: arguments must be an object")
        call = _Call(self, caller, name, digest(name, arguments))
        try:
            if caller.modern and (params.get("requestState") or params.get("inputResponses")):
                return await call.go_on(params)
            return await call.begin(arguments)
        except (McpServerError, CodeError) as error:
            return _failure(str(error))

    async def task(self, caller: Caller, method: TaskMethod, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `Tools.task`."""
        if not caller.abilities.tasks:
            needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
            raise RpcError(Code.MISSING_CAPABILITY, f"{method}: the client does not declare {TASKS}", needed)
        return await self.tasks.request(method, params)

    async def notice(self, notification: Notification) -> None:
        """See `Tools.notice`."""
        if notification.method != "session/cancel":
            return
        try:
            arguments = CancelArguments.model_validate(notification.params or {})
            await self.pool.find(arguments.session_id).cancel()
        except ValidationError as error:
            _log.warning("session/cancel: %d wrong parameters", error.error_count())
        except (McpServerError, CodeError) as error:
            _log.warning("session/cancel: %s", error)

    def sessions_enabled(self, caller: Caller) -> bool:
        """Whether a client may use the `session/*` tools."""
        return self._sessions_listed(caller)

    def _sessions_listed(self, caller: Caller) -> bool:
        if self.acp_enabled == "auto":
            return not caller.modern and "acp" in caller.abilities.experimental
        return self.acp_enabled


@dataclass(slots=True)
class _Call:
    """One tool call, in its first round or a later one."""

    server: ToolServer
    caller: Caller
    name: str
    digest: bytes

    @property
    def _opens_urls(self) -> bool:
        """Whether MCP servers may ask to open pages; only the handshake era reports when a page is completed."""
        return self.caller.abilities.opens_urls and not self.caller.modern

    async def begin(self, arguments: dict[str, Any] | None) -> dict[str, Any]:
        """Run the tool."""
        pool, elicits = self.server.pool, self.caller.abilities.elicits
        if self.name.startswith("session/") and not self.server.sessions_enabled(self.caller):
            raise ToolHidden(HIDDEN)
        match self.name:
            case "codex":
                new = parse(CodexArguments, arguments)
                parts = Parts(source=SOURCE, asks_user=elicits, opens_urls=self._opens_urls)
                session = await pool.open(new.overrides(), parts)
                return await self._prompt(session, [TextInput(text=new.prompt)])
            case "codex-reply":
                answer = parse(CodexReplyArguments, arguments)
                session = await pool.find_or_resume(answer.conversation_id)
                return await self._prompt(session, [TextInput(text=answer.prompt)], answer.collaboration_mode)
            case "session/new":
                new_session = parse(NewSessionArguments, arguments)
                parts = replace(new_session.parts(), asks_user=elicits, opens_urls=self._opens_urls)
                opened = await pool.open(new_session.overrides(), parts)
                return _success(await _session_state(opened))
            case "session/prompt":
                prompt = parse(PromptArguments, arguments)
                session = await pool.find_or_resume(prompt.session_id)
                return await self._prompt(session, input_items(prompt.prompt), prompt.collaboration_mode)
            case "session/cancel":
                await pool.find(parse(CancelArguments, arguments).session_id).cancel()
                return _success({})
            case "session/set_model":
                choice = parse(SetModelArguments, arguments)
                session = await pool.find_or_resume(choice.session_id)
                await session.conversation.submit(OverrideTurnContext(model=choice.model_id))
                return _success({})
            case _:
                raise UnknownTool(f"unknown tool: {self.name[:100]}")

    async def go_on(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Continue a turn that has asked something.

        Raises:
            RpcError: no such turn is waiting.
        """
        responses = params.get("inputResponses")
        if responses is not None and not isinstance(responses, dict):
            raise RpcError(Code.INVALID_PARAMS, "inputResponses must be an object")
        parked = self.server.round_trips.resume(params.get("requestState"), self.digest)
        session = self.server.pool.sessions.get(parked.session_id)
        if session is None or session.turn is not parked.turn:
            raise RpcError(Code.INVALID_PARAMS, EXPIRED)
        await take_answers(parked.turn, responses or {})
        if parked.turn.open:  # an answer is missing
            return self._parked(session, parked.turn)
        return await self._until_asked(session, parked.turn)

    async def _prompt(
        self, session: Session, items: list[InputItem], mode: CollaborationMode | None = None
    ) -> dict[str, Any]:
        turn = await session.begin(items, mode, asks_about_plans=self.caller.abilities.elicits)
        if self.caller.modern and self.caller.abilities.tasks:
            task = self.server.tasks.start(
                turn,
                str(self.caller.request_id),
                session.cancel,
                lambda end: self._result(session, turn, end),
                can_ask=self.caller.abilities.elicits,
            )
            return task.seed()
        if self.caller.modern and self.caller.abilities.elicits:
            return await self._until_asked(session, turn)
        return await self._to_the_end(session, turn)

    async def _until_asked(self, session: Session, turn: Turn) -> dict[str, Any]:
        relay = self._relay(session)
        end = await turn.run_until_asked(relay.send, relay.live)
        return self._parked(session, turn) if end is None else self._result(session, turn, end)

    def _parked(self, session: Session, turn: Turn) -> dict[str, Any]:
        state = self.server.round_trips.park(turn, session.id, self.digest)
        return input_required(turn, str(self.caller.request_id), state)

    async def _to_the_end(self, session: Session, turn: Turn) -> dict[str, Any]:
        relay, denied = self._relay(session), 0
        asking: dict[str, anyio.CancelScope] = {}

        async def on_event(_: Conversation, event: Event, questions: TaskGroup) -> None:
            nonlocal denied
            await relay.send(event)
            if isinstance(event.msg, ElicitationWithdrawn) and event.msg.id in asking:
                asking[event.msg.id].cancel()
            if (question := turn.question_in(event)) is not None:
                if approvals.can_ask(question, self.caller.abilities) and not self.caller.modern:
                    scope = asking[question_key(question)] = anyio.CancelScope()
                    questions.start_soon(self._ask, turn, question, event.id, scope)
                else:
                    denied += 1
                    await turn.reply(approvals.denial(question))

        return self._result(session, turn, await turn.run(on_event, relay.live), denied)

    async def _ask(self, turn: Turn, question: Question, event_id: str, scope: anyio.CancelScope) -> None:
        extra = approvals.details(question, event_id, str(self.caller.request_id))
        with scope:
            answer = await self.caller.peer.ask(
                "elicitation/create", {**approvals.elicitation(question), **extra}
            )
            await turn.reply(approvals.reply(question, answer))

    def _relay(self, session: Session) -> Relay:
        translator = UpdateTranslator() if self.name == "session/prompt" else None
        return Relay(self.caller, session.id, session.append_only, session.plan_tags, translator)

    def _result(self, session: Session, turn: Turn, end: TurnEnd, denied: int = 0) -> dict[str, Any]:
        if turn.plan is not None and isinstance(end, TaskComplete):
            end = TaskComplete(last_agent_message=without_tags(end.last_agent_message or ""))
        result = _stop_reason(end) if self.name == "session/prompt" else _answer(session.id, end)
        if turn.plan_open:
            parameter = "collaborationMode" if self.name == "session/prompt" else "collaboration-mode"
            result["content"].append({"type": "text", "text": HOW_TO_ACCEPT.format(parameter)})
        if denied:
            actions, were = ("action", "was") if denied == 1 else ("actions", "were")
            note = f"{denied} {actions} that needed approval {were} denied: {approvals.CANNOT_ASK}."
            result["content"].append({"type": "text", "text": note})
        return result


def _answer(session_id: str, end: TurnEnd) -> dict[str, Any]:
    """The result of `codex` and `codex-reply`: the final message, and the conversation to continue."""
    ids = {"conversationId": session_id, "threadId": session_id}
    match end:
        case TaskComplete(last_agent_message=message):
            return _success({**ids, "content": message or ""}, message or "")
        case TurnAborted(reason=reason):
            return _failure(f"the turn was {reason}", {**ids, "content": ""})
        case ErrorEvent(message=message):
            return _failure(message, {**ids, "content": message})


def _stop_reason(end: TurnEnd) -> dict[str, Any]:
    """The result of `session/prompt`."""
    match end:
        case TaskComplete():
            return _success({"stopReason": "end_turn"})
        case TurnAborted():
            return _success({"stopReason": "cancelled"})
        case ErrorEvent(message=message):
            return _failure(message, {"stopReason": "refusal"})


async def _session_state(session: Session) -> dict[str, Any]:
    """The answer to `session/new` of the Agent Client Protocol, plus the models in the form for older clients."""
    reader = session.conversation.follow()
    snapshot = (await anext(reader)).msg
    reader.close()
    assert isinstance(snapshot, SessionSnapshot)  # noqa: S101 - always the first event of a reader
    config = session.conversation.config
    info = SessionInfo(session.id)
    info.opened(snapshot)
    models = [*dict.fromkeys((config.model, *suggested_models(config.provider.id)))]
    info.offer((config.approval_policy.value, config.sandbox_policy.mode), models)
    available = [{"modelId": model, "name": model} for model in models]
    return {
        "sessionId": session.id,
        **info.state(),
        "models": {"currentModelId": info.settings.model, "availableModels": available},
    }


def _success(structured: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    shown = json.dumps(structured, ensure_ascii=False) if text is None else text
    return {
        "content": [{"type": "text", "text": shown}],
        "structuredContent": structured,
        "isError": False,
    }


def _failure(text: str, structured: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "content": [{"type": "text", "text": text}],
        **({} if structured is None else {"structuredContent": structured}),
        "isError": True,
    }
