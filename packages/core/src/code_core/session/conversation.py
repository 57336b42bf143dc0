"""A conversation: ops in, events out, one turn at a time."""

import logging
import os
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import anyio

from code_core.config.guards import always_allowed
from code_core.config.load import Config
from code_core.context.environment import environment_context
from code_core.context.git import repository_root
from code_core.context.instructions import base_instructions
from code_core.context.project_docs import user_instructions
from code_core.errors import CodeError, ConversationError
from code_core.model.client import ModelClient
from code_core.protocol.events import (
    ErrorEvent,
    Event,
    EventMsg,
    EventOrder,
    SessionConfigured,
    ShutdownComplete,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    WarningEvent,
)
from code_core.protocol.items import InputText, Message, ResponseItem
from code_core.protocol.ops import (
    ExecApproval,
    InputItem,
    Interrupt,
    ListMcpTools,
    Op,
    OverrideTurnContext,
    PatchApproval,
    QueueUserInput,
    RegisterApprovedCommand,
    ResolveElicitation,
    Shutdown,
    UpdateValidationGroup,
    UpdateValidationTool,
    UserInput,
)
from code_core.safety.environment import child_environment
from code_core.safety.non_interactive import non_interactive
from code_core.safety.rules import RegisteredCommand
from code_core.session.approvals import Approvals
from code_core.session.elicitations import Elicitations
from code_core.session.permission_tool import PermissionTool
from code_core.session.reporter import Reporter, TokenTotals
from code_core.session.servers import ConversationServers
from code_core.session.settings import TurnSettings
from code_core.session.turn import Turn
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import Tool, ToolContext, TurnAbandoned
from code_core.tools.turn_changes import TurnChanges

_log = logging.getLogger("code_core")

EVENT_BUFFER = 1024
BYTES_PER_TOKEN = 4
INTERRUPTED_NOTE = (
    "<turn_interrupted>The user interrupted the turn above. Commands may have run in part; "
    "check before you rely on them.</turn_interrupted>"
)

AbortReason = Literal["interrupted", "replaced"]


@dataclass(slots=True)
class _Task:
    """The running turn."""

    submission: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished: anyio.Event = field(default_factory=anyio.Event)
    abort_reason: AbortReason = "interrupted"
    stopped: bool = False


class Conversation:
    """Drives one agent. Use it as an async context manager; read `events()` to the end.

    A frontend submits ops and reads events; the conversation waits for a frontend that
    does not read, and remembers 1,024 events for one that is slow.

    Args:
        conversation_id: also the id that the provider caches prompts under.
        config: the settings.
        client: the model; closed with the conversation.
        tools: what the model can call.
        output_schema: JSON Schema that final messages must follow.
    """

    def __init__(
        self,
        conversation_id: str,
        config: Config,
        client: ModelClient,
        tools: ToolRegistry,
        output_schema: dict[str, Any] | None = None,
    ) -> None:
        self.id = conversation_id
        self.config = config
        self._settings = TurnSettings.of(config)
        self._client = client
        self._tools = tools
        self._output_schema = output_schema
        self._history: list[ResponseItem] = []
        self._environment_told: Message | None = None
        self._queue: deque[tuple[InputItem, ...]] = deque()
        self._elicitations = Elicitations()
        self._servers = ConversationServers(
            config.mcp_servers,
            config.cwd,
            config.home.path,
            config.sandbox_policy,
            self._elicitations.ask,
            config.permission_tool,
        )
        self._approvals = Approvals(
            None if config.permission_tool is None else PermissionTool(conversation_id, self._servers),
            rules_file=always_allowed(config.home.path),
        )
        self._totals = TokenTotals()
        self._task: _Task | None = None
        self._submissions = count(1)
        self._sequence: Counter[str] = Counter()
        self._ops_in, self._ops_out = anyio.create_memory_object_stream[tuple[str, Op]](float("inf"))
        self._events_in, self._events_out = anyio.create_memory_object_stream[Event](EVENT_BUFFER)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._tasks.start_soon(self._servers.connect, partial(self._emit, "0"))
        self._tasks.start_soon(self._serve)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._events_out.close()
        self._ops_in.close()
        self._tasks.cancel_scope.cancel()
        try:
            return await self._stack.__aexit__(kind, error, traceback)
        finally:
            self._ops_out.close()
            self._events_in.close()
            with anyio.CancelScope(shield=True):
                await self._servers.aclose()
                await self._client.aclose()

    async def submit(self, op: Op) -> str:
        """Send an operation; the id that its events will carry.

        Raises:
            ConversationError: the conversation has ended.
        """
        submission = str(next(self._submissions))
        try:
            self._ops_in.send_nowait((submission, op))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise ConversationError(f"conversation {self.id} has ended: start a new one") from None
        return submission

    async def events(self) -> AsyncIterator[Event]:
        """Every event once, in order; ends after `shutdown_complete`. For one reader."""
        async for event in self._events_out:
            yield event

    async def _emit(self, submission: str, msg: EventMsg, order: EventOrder | None = None) -> None:
        event = Event(id=submission, event_seq=self._sequence[submission], msg=msg, order=order)
        self._sequence[submission] += 1
        try:
            await self._events_in.send(event)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # the frontend has left; what the turn still does is wound up without it

    async def _serve(self) -> None:
        settings = self._settings
        await self._emit(
            "0",
            SessionConfigured(
                session_id=self.id,
                model=settings.model,
                cwd=settings.cwd,
                approval_policy=settings.approval_policy.value,
                sandbox_mode=settings.sandbox_policy.mode,
            ),
        )
        for warning in self.config.warnings:
            await self._emit("0", WarningEvent(message=warning))
        async for submission, op in self._ops_out:
            match op:
                case UserInput(items=items):
                    await self._stop_task("replaced")
                    self._queue.append(tuple(items))
                    self._start_task(submission)
                case QueueUserInput(items=items):
                    self._queue.append(tuple(items))
                    if self._task is None:
                        self._start_task(submission)
                case Interrupt():
                    await self._stop_task("interrupted")
                case ExecApproval() | PatchApproval():
                    if not self._approvals.answer(op):
                        await self._emit(submission, _not_open(op.id))
                case RegisterApprovedCommand():
                    self._approvals.register(
                        RegisteredCommand(tuple(op.command), op.match_kind, tuple(op.semantic_prefix or ()))
                    )
                case ResolveElicitation():
                    if not self._elicitations.answer(op):
                        await self._emit(submission, _not_open(op.id))
                case ListMcpTools():
                    self._tasks.start_soon(self._list_server_tools, submission)
                case UpdateValidationTool() | UpdateValidationGroup():
                    self._settings = self._settings.switched(op)
                case OverrideTurnContext():
                    self._settings = self._settings.overridden(op)
                    for warning in self._settings.capabilities.warnings:
                        await self._emit(submission, WarningEvent(message=warning))
                case Shutdown():
                    await self._stop_task("interrupted")
                    await self._emit(submission, ShutdownComplete())
                    self._ops_out.close()
                    self._events_in.close()
                    return

    async def _list_server_tools(self, submission: str) -> None:
        await self._emit(submission, await self._servers.listing())

    def _start_task(self, submission: str) -> None:
        self._task = task = _Task(submission)
        self._tasks.start_soon(self._run_task, task)

    async def _stop_task(self, reason: AbortReason) -> None:
        if (task := self._task) is not None:
            task.abort_reason = reason
            task.stopped = True
            task.scope.cancel()
            await task.finished.wait()

    async def _run_task(self, task: _Task) -> None:
        """Run turns until the queue is empty; each ends with exactly one of complete, aborted, error."""
        try:
            while await self._run_turn(task) and self._queue and not task.stopped:
                task.scope = anyio.CancelScope()
        finally:
            self._task = None
            task.finished.set()

    async def _run_turn(self, task: _Task) -> bool:
        """Whether the turn ended well."""
        emit = partial(self._emit, task.submission)
        end: EventMsg | None = None
        await emit(TaskStarted(model_context_window=self._settings.capabilities.context_window))
        with task.scope:
            try:
                self._elicitations.begin(emit)
                server_tools = await self._servers.tools()
                await self._tell_environment(emit)
                turn = self._turn(emit, server_tools)
                with closing(turn.tool_context.changes):
                    end = TaskComplete(last_agent_message=await turn.run())
            except TurnAbandoned:
                pass
            except CodeError as error:
                end = ErrorEvent(message=str(error), code=error.code)
            except Exception as error:  # noqa: BLE001 - one bad turn must not end the conversation
                _log.exception("a turn failed")
                end = ErrorEvent(
                    message=f"internal error: {type(error).__name__}: {error}"[:2000], code="internal"
                )
        self._elicitations.end()
        with anyio.CancelScope(shield=True):
            if end is None:
                self._history.append(Message(role="user", content=[InputText(text=INTERRUPTED_NOTE)]))
                end = TurnAborted(reason=task.abort_reason)
            await emit(end)
            if isinstance(end, ErrorEvent) and self._queue:
                waiting = f"{len(self._queue)} queued inputs go to the model with your next one"
                await emit(WarningEvent(message=waiting))
        return isinstance(end, TaskComplete)

    def _turn(self, emit: Any, server_tools: list[Tool]) -> Turn:
        config, settings = self.config, self._settings
        model = settings.capabilities
        directory = Path(os.path.realpath(settings.cwd))
        return Turn(
            conversation_id=self.id,
            instructions=base_instructions(config.base_instructions, with_patches=model.patch_instructions),
            model=model.settings,
            limits=config.limits,
            client=self._client,
            tools=self._tools.for_model(model.patch_tool).with_tools(server_tools),
            tool_context=ToolContext(
                cwd=settings.cwd,
                approval_policy=settings.approval_policy,
                sandbox_policy=settings.sandbox_policy,
                environment=self._child_environment(),
                output_limit=config.tool_output_token_limit * BYTES_PER_TOKEN,
                outputs=config.home.path / "outputs" / self.id,
                home=config.home.path,
                emit=emit,
                approver=self._approvals.for_turn(emit),
                validation=settings.validation,
                changes=TurnChanges(
                    repository_root(directory) or directory, config.home.path / "outputs" / self.id / "turn"
                ),
            ),
            reporter=Reporter(
                emit=emit,
                totals=self._totals,
                context_window=model.context_window,
                hide_reasoning=config.hide_reasoning,
                show_raw_reasoning=config.show_raw_reasoning,
            ),
            history=self._history,
            queue=self._queue,
            output_schema=self._output_schema,
        )

    async def _tell_environment(self, emit: Any) -> None:
        """Add the environment to the history when it is new, and the instructions once."""
        settings = self._settings
        shell = Path(os.environ.get("SHELL", "")).name or None
        told = environment_context(settings.cwd, settings.approval_policy, settings.sandbox_policy, shell)
        if told == self._environment_told:
            return
        told_first = [told]
        if self._environment_told is None:
            config = self.config
            instructions = await anyio.to_thread.run_sync(
                user_instructions,
                config.home.path,
                config.user_instructions,
                settings.cwd,
                config.project_doc_max_bytes,
            )
            for warning in instructions.warnings:
                await emit(WarningEvent(message=warning))
            if instructions.message is not None:
                told_first = [told, instructions.message]
        self._environment_told = told
        self._history += told_first

    def _child_environment(self) -> dict[str, str]:
        table, provider = self.config.environment, self.config.provider
        secrets = [provider.env_key, *provider.env_http_headers.values()]
        environment = child_environment(
            os.environ,
            inherit=table.inherit,
            ignore_default_excludes=table.ignore_default_excludes,
            exclude=table.exclude,
            set_=table.set,
            include_only=table.include_only,
            secrets=[name for name in secrets if name],
        )
        return non_interactive(environment, keep=table.set)


def _not_open(question_id: str) -> WarningEvent:
    return WarningEvent(
        message=f"the answer changed nothing: no question with the id {question_id!r} is open"
    )
