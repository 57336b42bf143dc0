"""Event logs and events for tests."""

import base64
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from code_core.protocol.approval_events import ExecApprovalRequest
from code_core.protocol.duration import Duration
from code_core.protocol.events import (
    Event,
    ExecCommandBegin,
    ExecCommandEnd,
    ExecCommandOutputDelta,
)
from code_core.session.events.log import (
    EventLog,
    EventReader,
)


def begin(call_id: str) -> ExecCommandBegin:
    return ExecCommandBegin.model_validate({"call_id": call_id, "command": ["x"], "cwd": "/"})


def end(call_id: str) -> ExecCommandEnd:
    return ExecCommandEnd(call_id=call_id, stdout="", stderr="", exit_code=0, duration=Duration.of(0.0))


def output(text: str, call_id: str = "c", stream: str = "stdout") -> ExecCommandOutputDelta:
    chunk = base64.b64encode(text.encode()).decode()
    return ExecCommandOutputDelta.model_validate({"call_id": call_id, "stream": stream, "chunk": chunk})


def question(approval_id: str) -> ExecApprovalRequest:
    fields = {"call_id": "c", "approval_id": approval_id, "command": ["x"], "cwd": "/"}
    return ExecApprovalRequest.model_validate(fields)


def run(script: Callable[[EventLog], Awaitable[None]]) -> None:
    async def main() -> None:
        with anyio.fail_after(20):
            await script(EventLog())

    anyio.run(main)


async def rest(log: EventLog, reader: EventReader) -> list[Event]:
    """The events that the reader still gets."""
    log.close()
    return [event async for event in reader]


def texts(seen: list[Event]) -> list[str]:
    return [
        base64.b64decode(event.msg.chunk).decode()
        for event in seen
        if isinstance(event.msg, ExecCommandOutputDelta)
    ]
