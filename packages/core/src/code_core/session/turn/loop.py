"""The turn loop: asks the model and runs the tools it calls, until it calls none.

The loop only decides what happens next: the model, the tools, the history and the events
are behind `ModelClient`, `ToolRegistry`, `History` and `Reporter`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any
from uuid import uuid4

import anyio
import anyio.lowlevel

from code_core.errors import ContextWindowExceeded
from code_core.model.client import ModelClient
from code_core.protocol.events import EventOrder
from code_core.protocol.items import ResponseItem, ToolCall, ToolCallOutput, output_for
from code_core.session.history.history import History, HistoryItem
from code_core.session.history.request_input import normalised, with_own_ids
from code_core.session.history.sizes import BYTES_PER_TOKEN
from code_core.session.turn.limits import TurnLimits
from code_core.session.turn.loop_guard import LoopGuard
from code_core.session.turn.reporter import Reporter
from code_core.session.turn.sampling import Response, sample
from code_core.tools.registry import ToolRegistry
from code_core.tools.tool import ToolContext, ToolOutput, TurnAbandoned
from code_core.wire.prompt import ModelSettings, Prompt


@dataclass(slots=True, eq=False, repr=False)
class TurnLoop:
    """One turn.

    Attributes:
        before_request: moves queued input into the history; returns the schema for the
            answer, if the user requests one.
        tool_context: returns the tool context, always the same; called when it is first needed.
        make_room: makes the history shorter and returns whether it compacted it; called when the
            history is nearly full or the model refused it as too long.
        item_id: the id of the item at a position in the model's stream.
    """

    conversation_id: str
    turn_id: str
    instructions: str
    model: ModelSettings
    limits: TurnLimits
    client: ModelClient
    tools: ToolRegistry
    tool_context: Callable[[], Awaitable[ToolContext]]
    reporter: Reporter
    history: History
    before_request: Callable[[], Awaitable[dict[str, Any] | None]]
    is_full: Callable[[], bool]
    make_room: Callable[[], Awaitable[bool]]
    item_id: Callable[[EventOrder], str]
    _guard: LoopGuard = field(default_factory=LoopGuard)

    async def run(self) -> str | None:
        """Run the turn and return the model's last message.

        Raises:
            ModelError: the model could not be reached.
            TurnError: a limit was reached, or the model repeats the same call.
            TurnAbandoned: the user answered an approval request with `abort`.
        """
        message: str | None = None
        while True:
            # An interrupt that arrived during a journal write ends the turn here.
            await anyio.lowlevel.checkpoint()
            schema = await self.before_request()
            response = await self._ask_with_room(schema)
            message = response.message or message
            calls = response.calls
            if not calls:
                return message
            self.limits.add_calls(len(calls))
            for batch in self._batches(calls):
                await self._run(batch)
            self._guard.check()

    async def _ask_with_room(self, schema: dict[str, Any] | None) -> Response:
        """Return one response, compacting at most once."""
        if self.is_full() and await self.make_room():
            return await self._ask(schema)
        try:
            return await self._ask(schema)
        except ContextWindowExceeded:
            self.reporter.totals.note_overflow(self.history.tokens)
            if not await self.make_room():
                raise
            return await self._ask(schema)

    async def _ask(self, schema: dict[str, Any] | None) -> Response:
        """Return one response; its finished items enter the history even on cancellation."""
        response = Response()
        before = self.history.tokens
        try:
            await sample(self.client, partial(self._prompt, schema), response, self.reporter)
        finally:
            response.items = with_own_ids(response.items, self.history.call_ids)
            if response.items:
                await self.history.add(*self._history_items(response))
            self.reporter.totals.note_request(response.usage, self.history.tokens)
            if response.items and (response.usage is None or response.usage.total_tokens == 0):
                read = len(self.instructions) // BYTES_PER_TOKEN + before
                self.limits.add_unreported(read, self.history.tokens - before)
        return response

    def _prompt(self, schema: dict[str, Any] | None, finished: Sequence[ResponseItem]) -> Prompt:
        """The next request; `finished` holds the items of an interrupted response that follow the history."""
        return Prompt(
            settings=self.model,
            conversation_id=self.conversation_id,
            instructions=self.instructions,
            input=normalised([*self.history.model_items(), *finished]),
            tools=self.tools.specs(),
            output_schema=schema,
        )

    def _history_items(self, response: Response) -> list[HistoryItem]:
        items = []
        for item, order in zip(response.items, response.orders, strict=True):
            if isinstance(item, ToolCall):
                item_id = item.call_id
            else:
                item_id = f"item_{uuid4().hex}" if order is None else self.item_id(order)
            items.append(HistoryItem(item_id, item, self.turn_id))
        return items

    def _batches(self, calls: Sequence[ToolCall]) -> list[list[ToolCall]]:
        """Group adjacent parallel-safe calls and keep the others alone, in call order."""
        batches: list[list[ToolCall]] = []
        for together, group in groupby(calls, self.tools.parallel_safe):
            batch = list(group)
            batches += [batch] if together else [[call] for call in batch]
        return batches

    async def _run(self, calls: Sequence[ToolCall]) -> None:
        """Run one batch; results enter the history in call order, even on cancellation.

        Raises:
            TurnAbandoned: the user answered an approval request with `abort`.
        """
        context = await self.tool_context()
        outputs: dict[int, ToolOutput] = {}
        try:
            if len(calls) == 1:
                outputs[0] = await self.tools.call(calls[0], context)
            else:
                await self._run_together(calls, context, outputs)
        finally:
            for index, call in enumerate(calls):
                if index not in outputs and call.call_id in context.interrupted:
                    outputs[index] = context.interrupted.pop(call.call_id)
            items = [self._answer(calls[index], output) for index, output in sorted(outputs.items())]
            if items:
                await self.history.add(*items)

    async def _run_together(
        self, calls: Sequence[ToolCall], context: ToolContext, outputs: dict[int, ToolOutput]
    ) -> None:
        """Run calls at the same time; `outputs` receives their results by index.

        Raises:
            TurnAbandoned: the user answered an approval request with `abort`; the other calls were cancelled.
        """
        abandoned: list[TurnAbandoned] = []

        async def run(index: int, call: ToolCall) -> None:
            try:
                outputs[index] = await self.tools.call(call, context)
            except TurnAbandoned as answer:
                abandoned.append(answer)
                tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            for index, call in enumerate(calls):
                tasks.start_soon(run, index, call)
        if abandoned:
            raise abandoned[0]

    def _answer(self, call: ToolCall, output: ToolOutput) -> HistoryItem:
        note = self._guard.observe(call, output)
        text = f"{output.text}\n\n{note}" if note else output.text
        item: ToolCallOutput = output_for(call, text, output.images)
        return HistoryItem(f"{call.call_id}-output", item, self.turn_id, failed=not output.success)
