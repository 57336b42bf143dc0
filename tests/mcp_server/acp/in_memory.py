"""A connection without processes or files: the real agent with scripted conversations."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, cast

import anyio
import anyio.lowlevel

from code_core.acp.capabilities import ClientCapabilities
from code_core.config.load import ConfigOverrides
from code_core.errors import ConversationError
from code_core.protocol.agent_events import AgentMessage, AgentMessageDelta
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    ErrorEvent,
    Event,
    EventMsg,
    ExecCommandBegin,
    ExecCommandEnd,
    SessionConfigured,
    TaskComplete,
    TaskStarted,
    TurnAborted,
    WarningEvent,
)
from code_core.protocol.file_changes import AddBody, AddChange
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import (
    ExecApproval,
    Interrupt,
    Op,
    OverrideTurnContext,
    PatchApproval,
    ResolveElicitation,
    Shutdown,
)
from code_core.protocol.policies import ReviewDecision
from code_core.protocol.session_events import SessionSnapshot, SettingsChanged
from code_core.session.events.log import EventLog, EventReader
from code_core.session.manager import ConversationManager
from code_core.session.parts import Parts
from code_core.store.errors import SessionNotFound
from code_mcp_client.framing import Line
from code_mcp_server.acp.agent import Agent
from code_mcp_server.acp.connection import Answer, Connection
from code_mcp_server.acp.peer import Peer
from code_mcp_server.acp.sessions import Sessions
from code_mcp_server.acp.streams import LineWriter
from code_mcp_server.jsonrpc import Notification, Request
from support.acp_schema import check_frame

CWD = Path("/")
SLOW_SECONDS = 4.0
"""Less than the agent's time limit for an interrupted turn."""
_CRASH = WarningEvent(message="crash")
Json = dict[str, Any]


class _CrashingReader:
    """Reads events until the engine crashes."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        event = await anext(self._reader)
        if event.msg == _CRASH:
            raise RuntimeError("the engine has crashed")
        return event


class ScriptedConversation:
    """A conversation whose turns advance by one event when `step` is called; a question waits for its answer."""

    def __init__(self, session_id: str) -> None:
        self.id = session_id
        self.log = EventLog()
        self._events = _CrashingReader(self.log.reader())
        self._numbers = count(1)
        self.turn: str | None = None
        self._calls = count(1)
        self._call: str | None = None
        self.question: str | None = None
        self.slow = False
        self.entered = self.left = False

    async def __aenter__(self) -> Self:
        self.entered = True
        self.log.publish("0", SessionConfigured(
            session_id=self.id, model="m", cwd=CWD, approval_policy="on-request", sandbox_mode="read-only"
        ))  # fmt: skip
        self.log.publish("0", WarningEvent(message="something to know"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.left = True
        self.log.close()

    async def discard(self) -> None:
        self.left = True

    async def submit(self, op: Op) -> str:
        if self.left:
            raise ConversationError("ended")
        submission = str(next(self._numbers))
        match op:
            case Interrupt():
                self._interrupt()
            case ExecApproval(id=question, decision=decision) | PatchApproval(id=question, decision=decision):
                if question == self.question:
                    self._answered(decision)
            case ResolveElicitation(id=question):
                if question == self.question:
                    self.question = None
            case OverrideTurnContext():
                self.log.publish(submission, _settings(op))
            case Shutdown():
                pass
            case _:
                assert self.turn is None
                self.turn = submission
                self.log.publish(submission, TaskStarted(turn_id=f"turn-{submission}"))
        return submission

    def events(self) -> "_CrashingReader":
        return self._events

    def follow(self) -> EventReader:
        snapshot = SessionSnapshot(
            session_id=self.id, preview="", settings=_settings(OverrideTurnContext()), items=[], queue=[]
        )
        return self.log.reader([Event(id="0", event_seq=0, msg=snapshot)])

    def step(self, what: str) -> None:
        """Advance the turn: `text`, `message`, `ask`, `ask about a patch`, `elicit`, `command`, `done`,
        `complete`,         `fail` or `crash`. After `slow`, it takes `SLOW_SECONDS` to interrupt it.
        """
        if self.turn is None or (self.question is not None and what != "fail"):
            return
        match what:
            case "text":
                self._publish(AgentMessageDelta(delta="x"))
            case "message":
                self._publish(AgentMessage(message="x"))
            case "ask":
                self.question = f"call-{next(self._calls)}"
                self._publish(
                    ExecApprovalRequest(
                        call_id=self.question, approval_id=self.question, command=["ls"], cwd=CWD
                    )
                )
            case "ask about a patch":
                self.question = f"call-{next(self._calls)}"
                changes = {"/a": AddChange(add=AddBody(content="a\n"))}
                self._publish(
                    ApplyPatchApprovalRequest(
                        call_id=self.question, approval_id=self.question, changes=changes
                    )
                )
            case "elicit":
                self.question = f"question-{next(self._calls)}"
                schema = {"type": "object", "properties": {"name": {"type": "string"}}}
                self._publish(
                    ElicitationRequest(id=self.question, server="s", message="Who?", requested_schema=schema)
                )
            case "crash":
                self._publish(_CRASH)
            case "slow":
                self.slow = True
            case "command" if self._call is None:
                self._begin(f"call-{next(self._calls)}")
            case "done" if self._call is not None:
                self._publish(ExecCommandEnd(
                    call_id=self._call, stdout="", stderr="", exit_code=0, duration=Duration.of(0)
                ))  # fmt: skip
                self._call = None
            case "complete":
                self._end(TaskComplete(last_agent_message="x"))
            case "fail":
                self._end(ErrorEvent(message="no", code="provider"))
            case _:
                pass

    def _answered(self, decision: ReviewDecision) -> None:
        call, self.question = self.question, None
        assert call is not None
        match decision:
            case ReviewDecision.ABORT:
                self._end(TurnAborted(reason="interrupted"))
            case ReviewDecision.DENIED:
                pass
            case _ if self._call is None:
                self._begin(call)

    def _interrupt(self) -> None:
        interrupted, slow, self.slow = self.turn, self.slow, False

        def end() -> None:
            if self.turn == interrupted and not self.left:
                self._end(TurnAborted(reason="interrupted"))

        if slow:
            asyncio.get_running_loop().call_later(SLOW_SECONDS, end)
        else:
            end()

    def _begin(self, call: str) -> None:
        self._call = call
        self._publish(ExecCommandBegin(call_id=call, command=["ls"], cwd=CWD))

    def _publish(self, msg: EventMsg) -> None:
        assert self.turn is not None
        self.log.publish(self.turn, msg)

    def _end(self, end: TaskComplete | TurnAborted | ErrorEvent) -> None:
        if self.turn is None:
            return
        self.question = self._call = None
        for owed in self.log.open.owed(self.turn, "ended"):
            self._publish(owed)
        self._publish(end)
        self.turn = None
        self.log.publish("0", WarningEvent(message="between turns"))


def _settings(op: OverrideTurnContext) -> SettingsChanged:
    policy = op.approval_policy or "on-request"
    mode = "read-only" if op.sandbox_policy is None else op.sandbox_policy.mode
    return SettingsChanged(model=op.model or "m", cwd=CWD, approval_policy=policy, sandbox_mode=mode)


@dataclass
class MemoryManager:
    """Makes scripted conversations."""

    made: list[ScriptedConversation] = field(default_factory=list)

    async def new(self, _overrides: ConfigOverrides, parts: Parts) -> ScriptedConversation:
        assert parts.session_id is not None
        await anyio.lowlevel.checkpoint()
        self.made.append(ScriptedConversation(parts.session_id))
        return self.made[-1]

    async def resume(self, session: str, _overrides: ConfigOverrides, _parts: Parts) -> ScriptedConversation:
        await anyio.lowlevel.checkpoint()
        self.made.append(ScriptedConversation(session))
        return self.made[-1]


_current: list[MemoryManager] = []


class MemoryStore:
    """Knows the sessions that were made by the manager of the newest harness."""

    def __init__(self) -> None:
        self._manager = _current[-1]

    def find(self, reference: str) -> SimpleNamespace:
        if all(one.id != reference for one in self._manager.made):
            raise SessionNotFound(reference)
        return SimpleNamespace(id=reference, path=Path("/nowhere"))

    def list(self, _query: object) -> SimpleNamespace:
        return SimpleNamespace(sessions=(), next_cursor=None)

    def delete(self, record: SimpleNamespace) -> None:
        self._manager.made[:] = [one for one in self._manager.made if one.id != record.id]


_IDENTIFIER = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")
_CHECKED: set[bytes] = set()
"""The schema's valid lines, without numbers and session ids."""


class MemoryWriter:
    """Keeps what is written, until the reader is gone.

    Attributes:
        on_frame: called with each frame, as soon as it is written.
    """

    def __init__(self) -> None:
        self.frames: list[Json] = []
        self.on_frame: Callable[[Json], None] = lambda _: None
        self.gone = False

    def put(self, line: bytes) -> None:
        if line and not self.gone:
            assert line.endswith(b"\n")
            assert line.count(b"\n") == 1
            frame = json.loads(line)
            shape = _IDENTIFIER.sub(b"0", line)
            if shape not in _CHECKED:  # checking takes longer than everything else combined
                check_frame(frame)
                _CHECKED.add(shape)
            self.frames.append(frame)
            self.on_frame(frame)

    async def room(self) -> None:
        await anyio.lowlevel.checkpoint()


@dataclass
class Observed:
    """The agent, with a callback just before it processes a message."""

    agent: Agent
    observer: Callable[[Request | Notification], None] = lambda _: None

    async def answer(self, request: Request) -> Answer:
        self.observer(request)
        return await self.agent.answer(request)

    def notified(self, notification: Notification) -> None:
        self.observer(notification)
        self.agent.notified(notification)


@dataclass
class Harness:
    """The agent, and what the client sees of it.

    Attributes:
        end: close the agent's input.
    """

    manager: MemoryManager
    writer: MemoryWriter
    send_line: Callable[[Line], None]
    agent: Observed
    end: Callable[[], None]

    @property
    def frames(self) -> list[Json]:
        return self.writer.frames

    def send(self, message: Json) -> None:
        self.send_line(json.dumps({"jsonrpc": "2.0", **message}).encode())


@asynccontextmanager
async def harness(capabilities: Json | None = None) -> AsyncIterator[Harness]:
    """An agent whose `initialize` has been answered; its input ends with the context at the latest."""
    manager, writer = MemoryManager(), MemoryWriter()
    _current[:] = [manager]
    send, receive = anyio.create_memory_object_stream[Line](float("inf"))
    client = ClientCapabilities.of({"clientCapabilities": capabilities or {}})
    async with anyio.create_task_group() as tasks:
        connection = Connection(cast("LineWriter", writer), Peer())
        overrides = ConfigOverrides(cwd=CWD)
        sessions = Sessions(cast("ConversationManager", manager), connection, client, overrides, tasks)
        agent = Observed(Agent(sessions))

        async def serve() -> None:
            async with receive:
                await connection.serve(receive, agent)
            tasks.cancel_scope.cancel()

        tasks.start_soon(serve)
        with send:
            yield Harness(manager, writer, send.send_nowait, agent, send.close)
    assert all(one.left or not one.entered for one in manager.made)
