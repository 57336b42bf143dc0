"""Asks the model once, reports its streamed output, and retries when the stream breaks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from code_core.errors import RequestRefused, StreamBroken
from code_core.model.client import ModelClient
from code_core.model.retry import LONGEST_REQUESTED_DELAY, backoff
from code_core.protocol.agent_events import (
    AgentMessage,
    AgentMessageDelta,
    AgentMessageReset,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningReset,
    AgentReasoningSectionBreak,
)
from code_core.protocol.events import EventMsg, EventOrder, StreamError, WebSearchBegin, WebSearchComplete
from code_core.protocol.items import (
    InputText,
    Message,
    Reasoning,
    ResponseItem,
    ToolCall,
    WebSearchCall,
)
from code_core.protocol.token_events import TokenUsage
from code_core.session.history.request_input import salvaged
from code_core.session.turn.reporter import Reporter
from code_core.view.durations import counted, duration_text
from code_core.wire.prompt import Prompt
from code_core.wire.repeated_text import RepeatedText
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    RateLimits,
    ReasoningSectionBreak,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
    WebSearchStarted,
)

GO_ON_NOTE = (
    "<stream_interrupted>The connection broke after your last message, which was kept. "
    "Continue from there without repeating it.</stream_interrupted>"
)


@dataclass(slots=True, eq=False, repr=False)
class Response:
    """The model's answer so far; `orders` holds the items' positions in its stream."""

    items: list[ResponseItem] = field(default_factory=list)
    orders: list[EventOrder | None] = field(default_factory=list)
    usage: TokenUsage | None = None

    def add(self, item: ResponseItem, order: EventOrder | None = None) -> None:
        """Add the next item."""
        self.items.append(item)
        self.orders.append(order)

    def keep(self, first: Sequence[ResponseItem]) -> None:
        """Drop all items except the first ones."""
        self.items = list(first)
        del self.orders[len(self.items) :]

    @property
    def calls(self) -> list[ToolCall]:
        """The tool calls, in order."""
        return [item for item in self.items if isinstance(item, ToolCall)]

    @property
    def message(self) -> str | None:
        """The last message."""
        texts = [item.text for item in self.items if isinstance(item, Message) and item.role == "assistant"]
        return texts[-1] if texts else None


async def sample(
    client: ModelClient,
    prompt_after: Callable[[Sequence[ResponseItem]], Prompt],
    response: Response,
    reporter: Reporter,
) -> None:
    """Fill `response` with the model's answer.

    Items finished before a stream breaks are kept. If they include a call, the response counts as
    complete: the calls run, and the next request includes their results, so no call ever runs
    twice. If they are only messages, the model is asked to continue after them.

    Args:
        client: the model.
        prompt_after: returns the request, with the items finished so far after the history.
        response: receives the items.
        reporter: receives the events.

    Raises:
        ModelError: the provider refused the request, or all retries failed.
    """
    failed = {"request": 0, "stream": 0}
    limits = {"request": client.retry_limits.request, "stream": client.retry_limits.stream}
    while True:
        kept = list(response.items)
        taker = _Taker(response, reporter, kept)
        try:
            async with client.stream(prompt_after(kept)) as events:
                async for event in events:
                    await taker.take(event)
        except StreamBroken as error:
            if error.empty and kept:
                response.keep(kept)
                return
            await taker.withdraw()
            finished = salvaged(response.items[len(kept) :])
            response.keep([*kept, *finished])
            phase = "stream" if error.opened else "request"
            failed[phase] += 1
            if response.calls:
                await _report_failure(error, failed[phase], limits[phase], 0.0, reporter)
                return
            if failed[phase] > limits[phase]:
                raise RequestRefused(
                    f"{error} (gave up after {counted(failed[phase], 'attempt')})", code=error.code
                ) from error
            delay = backoff(failed[phase]) if error.delay is None else error.delay
            if delay > LONGEST_REQUESTED_DELAY:
                raise RequestRefused(
                    f"{error} (the provider asks to wait {duration_text(delay)}: try again then)",
                    code=error.code,
                ) from error
            if finished:
                response.add(Message(role="user", content=[InputText(text=GO_ON_NOTE)]))
            await _report_failure(error, failed[phase], limits[phase], delay, reporter)
            await anyio.sleep(delay)
        else:
            return


async def _report_failure(
    error: StreamBroken, attempt: int, maximum: int, delay: float, reporter: Reporter
) -> None:
    await reporter.emit(
        StreamError(
            message=str(error), attempt=attempt, max=maximum, delay_ms=round(delay * 1000), code=error.code
        )
    )


class _Taker:
    """Processes the events of one attempt and tracks what can still be withdrawn."""

    def __init__(self, response: Response, reporter: Reporter, kept: Sequence[ResponseItem]) -> None:
        self._response = response
        self._reporter = reporter
        # Some models repeat messages when asked to continue: each is shown and kept once.
        self._repeats = [item.text for item in kept if isinstance(item, Message) and item.role == "assistant"]
        self._alike: list[RepeatedText] = []  # candidates that the streamed text may repeat
        self._text_of: EventOrder | None = None  # the position of the message being streamed
        self._text_shown = False
        self._reasoning_shown = False

    async def withdraw(self) -> None:
        """Withdraw streamed text of an item that will not be finished."""
        if self._text_shown:
            await self._reporter.emit(AgentMessageReset(), self._text_of)
        if self._reasoning_shown:
            await self._reporter.emit(AgentReasoningReset())

    async def take(self, event: ResponseEvent) -> None:
        """Report `event` and keep the item it finishes."""
        reporter = self._reporter
        match event:
            case TextDelta():
                await self._text(event)
            case ReasoningSummaryDelta(delta=delta, order=order) if not reporter.hide_reasoning:
                self._reasoning_shown = True
                await reporter.emit(AgentReasoningDelta(delta=delta), order)
            case ReasoningSectionBreak(order=order) if not reporter.hide_reasoning:
                await reporter.emit(AgentReasoningSectionBreak(), order)
            case ReasoningTextDelta(delta=delta, order=order) if reporter.show_raw_reasoning:
                self._reasoning_shown = True
                await reporter.emit(AgentReasoningRawContentDelta(delta=delta), order)
            case WebSearchStarted(call_id=call_id, order=order):
                await reporter.emit(WebSearchBegin(call_id=call_id), order)
            case ItemDone(item=item, order=order):
                await self._item(item, order)
            case Completed(usage=usage):
                self._response.usage = usage
                await reporter.count_tokens(usage)
            case RateLimits(snapshot=snapshot):
                reporter.rate_limits = snapshot
            case Created() | ReasoningSummaryDelta() | ReasoningSectionBreak() | ReasoningTextDelta():
                pass

    async def _text(self, event: TextDelta) -> None:
        delta = event.delta
        if self._repeats and not self._text_shown:
            alike = self._alike or [RepeatedText(text) for text in self._repeats]
            pairs = [(one, one.add(delta)) for one in alike]
            self._alike = [one for one, text in pairs if not text]
            if self._alike:
                return
            delta = pairs[0][1]
        self._text_shown, self._text_of = True, event.order
        await self._reporter.emit(AgentMessageDelta(delta=delta), event.order)

    async def _item(self, item: ResponseItem, order: EventOrder | None) -> None:
        if isinstance(item, Message):
            shown, self._text_shown, self._alike = self._text_shown, False, []
            if not shown and item.text in self._repeats:
                del self._repeats[: self._repeats.index(item.text) + 1]
                return
            self._repeats.clear()
        elif isinstance(item, Reasoning):
            self._reasoning_shown = False
        self._response.add(item, order)
        for message in _finished(item, self._reporter):
            await self._reporter.emit(message, order)


def _finished(item: ResponseItem, reporter: Reporter) -> list[EventMsg]:
    match item:
        case Message(role="assistant"):
            return [AgentMessage(message=item.text)]
        case Reasoning():
            summary: list[EventMsg] = [AgentReasoning(text=part.text) for part in item.summary]
            raw: list[EventMsg] = [AgentReasoningRawContent(text=part.text) for part in item.content or []]
            return ([] if reporter.hide_reasoning else summary) + (raw if reporter.show_raw_reasoning else [])
        case WebSearchCall():
            query = (item.action or {}).get("query")
            return [WebSearchComplete(call_id=item.id or "", query=query if isinstance(query, str) else None)]
        case _:
            return []
