"""A frontend for tests of conversations."""

from typing import Any

import pytest

from code_core.protocol.events import ErrorEvent, Event
from code_core.protocol.ops import Op, Shutdown, TextInput, UserInput
from code_core.session.conversation import Conversation
from support import responses_events as sse
from support.scenario import Response


def user(text: str) -> UserInput:
    return UserInput(items=[TextInput(text=text)])


class Frontend:
    """Reads a conversation's events and waits for those that a test needs."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self.seen: list[Event] = []

    @property
    def kinds(self) -> list[str]:
        return [event.msg.type for event in self.seen]

    async def until(self, kind: str) -> Any:
        """The next event of this kind; a task that fails instead fails the test."""
        async for event in self.conversation.events():
            self.seen.append(event)
            if event.msg.type == kind:
                return event.msg
            if isinstance(event.msg, ErrorEvent):
                pytest.fail(f"{event.msg.message!r} came before {kind}")
        raise AssertionError(f"no {kind} came: {self.kinds}")

    async def send(self, op: Op) -> str:
        return await self.conversation.submit(op)

    async def finish(self) -> None:
        await self.send(Shutdown())
        await self.until("shutdown_complete")


BYE: Response = [sse.message("bye"), sse.completed()]


def call(*command: str, call_id: str = "c1", **more: Any) -> Response:
    return [sse.function_call("shell", {"command": list(command), **more}, call_id), sse.completed()]


def after(*expected: str, call_id: str = "c1", stream: Response = BYE) -> dict[str, Any]:
    """The next request has an output with these texts."""
    return {"expect": [{"call_id": call_id, "output_contains": text} for text in expected], "stream": stream}


def made(frontend: Frontend, name: str = "made") -> bool:
    return (frontend.conversation.config.cwd / name).exists()
