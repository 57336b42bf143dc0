"""The turn loop: ask the model, run what it calls, until it calls nothing.

It decides what happens next and does nothing itself: the model, the tools and
the events are behind `ModelClient`, `ToolRegistry` and `Reporter`.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import anyio

from code_core.config.schema import LimitsTable
from code_core.errors import TurnError
from code_core.model.client import ModelClient
from code_core.protocol.events import UserMessage, WarningEvent
from code_core.protocol.items import ResponseItem, ToolCall, ToolCallOutput, output_for
from code_core.protocol.ops import InputItem
from code_core.session.history import normalised, with_own_ids
from code_core.session.loop_guard import LoopGuard
from code_core.session.reporter import Reporter
from code_core.session.sampling import Response, sample
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from code_core.wire.prompt import ModelSettings, Prompt


@dataclass(slots=True)
class Turn:
    """One turn of a conversation.

    `history` and `queue` belong to the conversation: what was done stays in the
    history however the turn ends, and input that came too late stays in the queue.
    """

    conversation_id: str
    instructions: str
    model: ModelSettings
    limits: LimitsTable
    client: ModelClient
    tools: ToolRegistry
    tool_context: ToolContext
    reporter: Reporter
    history: list[ResponseItem]
    queue: deque[tuple[InputItem, ...]]
    output_schema: dict[str, Any] | None = None

    async def run(self) -> str | None:
        """The model's last message.

        Raises:
            ModelError: the model could not be asked.
            TurnError: a limit was reached, or the model goes in circles.
            TurnAbandoned: the user answered an approval request with `abort`.
        """
        with anyio.move_on_after(self.limits.max_wall_seconds) as clock:
            return await self._loop()
        if not clock.cancelled_caught:
            raise AssertionError("the loop returns or raises")
        raise TurnError(f"stopped after {self.limits.max_wall_seconds:g} seconds (max_wall_seconds)")

    async def _loop(self) -> str | None:
        guard = LoopGuard()
        message: str | None = None
        calls_made = 0
        tokens_before = self.reporter.totals.total.total_tokens
        while True:
            await self._take_queued()
            response = await self._ask()
            message = response.message or message
            calls = response.calls
            if not calls:
                return message
            calls_made += len(calls)
            self._check_limits(calls_made, self.reporter.totals.total.total_tokens - tokens_before)
            for batch in self._batches(calls):
                await self._run(batch, guard)
            guard.check()

    async def _take_queued(self) -> None:
        while self.queue:
            await self._take_input(self.queue.popleft())

    async def _take_input(self, items: Sequence[InputItem]) -> None:
        from code_core.context.user_input import user_message

        message, problems = user_message(items, self.tool_context.cwd)
        self.history.append(message)
        await self.reporter.emit(UserMessage(items=list(items)))
        for problem in problems:
            await self.reporter.emit(WarningEvent(message=problem))

    async def _ask(self) -> Response:
        """One response; what it finished goes into the history even when we are cancelled."""
        response = Response()
        try:
            await sample(self.client, self._prompt, response, self.reporter)
        finally:
            response.items = with_own_ids(response.items, self.history)
            self.history.extend(response.items)
        return response

    def _prompt(self, finished: Sequence[ResponseItem] = ()) -> Prompt:
        """The next request; `finished` is what a response that broke off has added to the history."""
        return Prompt(
            settings=self.model,
            conversation_id=self.conversation_id,
            instructions=self.instructions,
            input=normalised([*self.history, *finished]),
            tools=self.tools.specs(),
            output_schema=self.output_schema,
        )

    def _batches(self, calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
        """Neighbouring parallel-safe calls together, the others alone, in call order."""
        batches: list[list[ToolCall]] = []
        for together, group in groupby(calls, self.tools.parallel_safe):
            batch = list(group)
            batches += [batch] if together else [[call] for call in batch]
        return batches

    async def _run(self, calls: Sequence[ToolCall], guard: LoopGuard) -> None:
        """Run one batch; what was finished goes into the history, in call order, even when we are cancelled.

        Raises:
            TurnAbandoned: the user does not want the turn to go on.
        """
        outputs: dict[int, ToolOutput] = {}
        abandoned: list[TurnAbandoned] = []

        async def run(index: int, call: ToolCall) -> None:
            try:
                outputs[index] = await self.tools.call(call, self.tool_context)
            except TurnAbandoned as answer:
                abandoned.append(answer)
                tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                for index, call in enumerate(calls):
                    tasks.start_soon(run, index, call)
        finally:
            for index, output in sorted(outputs.items()):
                note = guard.observe(calls[index], output)
                self.history.append(_answer(calls[index], output, note))
        if abandoned:
            raise abandoned[0]

    def _check_limits(self, calls: int, tokens: int) -> None:
        if self.limits.max_tool_calls is not None and calls > self.limits.max_tool_calls:
            raise TurnError(f"stopped after {self.limits.max_tool_calls} tool calls (max_tool_calls)")
        if self.limits.max_total_tokens is not None and tokens > self.limits.max_total_tokens:
            raise TurnError(
                f"stopped after {tokens} tokens (max_total_tokens is {self.limits.max_total_tokens})"
            )


def _answer(call: ToolCall, output: ToolOutput, note: str | None) -> ToolCallOutput:
    return output_for(call, f"{output.text}\n\n{note}" if note else output.text, output.images)
