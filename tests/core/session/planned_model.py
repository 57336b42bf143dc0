"""A model that answers requests as planned, or else with a message."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from code_core.model.retry import RetryLimits
from code_core.wire.prompt import Prompt
from code_core.wire.response_events import ResponseEvent
from code_core.wire.responses import request_body
from core.session.scripted import Step, answer
from support import violations


@dataclass
class PlannedModel:
    """Answers each request as the machine has planned, or with a message."""

    plans: list[list[Step]] = field(default_factory=list)
    retry_limits: RetryLimits = field(default_factory=lambda: RetryLimits(request=1, stream=1))
    problems: list[str] = field(default_factory=list)
    requests: int = 0

    @asynccontextmanager
    async def stream(self, prompt: Prompt) -> AsyncIterator[AsyncIterator[ResponseEvent]]:
        self.problems += violations(request_body(prompt))
        self.requests += 1
        yield self._play(self.plans.pop(0) if self.plans else answer("done", ordinal=self.requests))

    async def _play(self, steps: list[Step]) -> AsyncIterator[ResponseEvent]:
        for step in steps:
            await anyio.lowlevel.checkpoint()
            match step:
                case anyio.Event():
                    await step.wait()
                case Exception():
                    raise step
                case _:
                    yield step

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
