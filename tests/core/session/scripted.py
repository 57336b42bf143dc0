"""A session without files, processes and sockets, whose model, tools and journal are scripted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from code_core.config.load import Config, ConfigOverrides, load_config
from code_core.errors import RequestRefused
from code_core.model.client import ModelClient
from code_core.model.retry import RetryLimits
from code_core.protocol.events import Event, EventOrder
from code_core.protocol.items import FunctionCall, Message, OutputText, ToolCall
from code_core.protocol.ops import Op, QueueUserInput, TextInput, UserInput
from code_core.protocol.policies import AskForApproval, SandboxMode
from code_core.protocol.token_events import TokenUsage
from code_core.session.conversation import Conversation
from code_core.session.parts import Parts, make_session
from code_core.session.stored.restore import SessionState
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput
from code_core.wire.prompt import Prompt
from code_core.wire.response_events import Completed, ItemDone, ResponseEvent, TextDelta
from code_core.wire.responses import request_body
from code_core.wire.tool_specs import FunctionSpec
from support import violations

Step = ResponseEvent | Exception | anyio.Event
"""What a scripted model does next: send something, break, or wait for an event."""

ToolBody = Callable[[ToolCall, ToolContext], Awaitable[ToolOutput]]


def event_order(index: int = 0, ordinal: int = 1) -> EventOrder:
    return EventOrder(request_ordinal=ordinal, output_index=index)


def answer(text: str, *, tokens: int = 15, ordinal: int = 1) -> list[Step]:
    message = Message(role="assistant", content=[OutputText(text=text)])
    order = event_order(ordinal=ordinal)
    return [TextDelta(text[:1], order), ItemDone(message, order), completed(tokens)]


def completed(tokens: int = 15) -> Completed:
    return Completed("r", TokenUsage(input_tokens=tokens - 5, output_tokens=5, total_tokens=tokens))


def calls(*names: str, first: int = 1) -> list[Step]:
    """Calls of these tools, with the ids `c1`, `c2`, …"""
    steps: list[Step] = [
        ItemDone(FunctionCall(name=name, arguments="{}", call_id=f"c{first + index}"), event_order(index))
        for index, name in enumerate(names)
    ]
    return [*steps, completed()]


class ScriptedModel:
    """Plays one script per request, and refuses when they run out. Every request must be valid."""

    def __init__(self, *scripts: Sequence[Step], limits: RetryLimits | None = None) -> None:
        self.scripts = list(scripts)
        self.retry_limits = limits or RetryLimits(request=1, stream=1)
        self.prompts: list[Prompt] = []
        self.closed = False

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        body = request_body(prompt)
        assert violations(body) == []
        self.prompts.append(prompt)
        if not self.scripts:
            raise RequestRefused("the script has no more responses")
        yield self._play(self.scripts.pop(0))

    async def _play(self, script: Sequence[Step]) -> AsyncIterator[ResponseEvent]:
        for step in script:
            match step:
                case anyio.Event():
                    await step.wait()
                case Exception():
                    raise step
                case _:
                    yield step

    async def aclose(self) -> None:
        self.closed = True

    def request_text(self, request: int = -1) -> str:
        """All text in a request's input."""
        return repr(request_body(self.prompts[request])["input"])


class ScriptedTool:
    """Runs `body` for each call, and remembers the calls' ids."""

    def __init__(self, name: str, body: ToolBody | None = None, *, parallel_safe: bool = False) -> None:
        self.name = name
        self.parallel_safe = parallel_safe
        self._body = body
        self.ran: list[str] = []

    def spec(self) -> FunctionSpec:
        return FunctionSpec(self.name, "", {"type": "object"})

    async def call(self, call: ToolCall, context: ToolContext) -> ToolOutput:
        self.ran.append(call.call_id)
        if self._body is None:
            return ToolOutput(f"{self.name} did {call.call_id}")
        return await self._body(call, context)


def scripted_config(tmp_path: Path, **overrides: Any) -> Config:
    """Empty settings, for a separate directory `work`."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    given: dict[str, Any] = {
        "cwd": work,
        "replay_scenario": tmp_path / "unused",
        "approval_policy": AskForApproval.ON_REQUEST,
        "sandbox_mode": SandboxMode.DANGER_FULL_ACCESS,
    }
    environment = {"CODE_HOME": str(tmp_path)}
    return load_config(ConfigOverrides(**(given | overrides)), environment)


def scripted_conversation(
    config: Config,
    model: ModelClient,
    *tools: ScriptedTool,
    parts: Parts | None = None,
    state: SessionState | None = None,
) -> Conversation:
    session = make_session(config, model, parts or Parts(), state)
    if tools:
        session.services = replace(session.services, tools=ToolRegistry(tools))
    return Conversation(session)


def text(words: str, **more: Any) -> UserInput:
    return UserInput(items=[TextInput(text=words)], **more)


def queued(words: str, **more: Any) -> QueueUserInput:
    return QueueUserInput(items=[TextInput(text=words)], **more)


TASK_ENDS = frozenset({"task_complete", "turn_aborted", "error"})


class Reading:
    """Reads a conversation's events one by one."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.seen: list[Event] = []

    @property
    def kinds(self) -> list[str]:
        return [event.msg.type for event in self.seen]

    async def until(self, *kinds: str) -> Any:
        async for event in self.conversation.events():
            self.seen.append(event)
            if event.msg.type in kinds:
                return event.msg
        raise AssertionError(f"none of {kinds} came: {self.kinds}")

    async def ended(self) -> Any:
        """The end of the running task."""
        return await self.until(*TASK_ENDS)

    async def send(self, op: Op) -> str:
        return await self.conversation.submit(op)

    def of(self, kind: str) -> list[Any]:
        return [event.msg for event in self.seen if event.msg.type == kind]


def converse(conversation: Conversation, script: Callable[[Reading], Awaitable[None]]) -> None:
    """Run `script` with an entered conversation, for at most 20 seconds."""

    async def main() -> None:
        with anyio.fail_after(20):
            async with conversation:
                await script(Reading(conversation))

    anyio.run(main)
