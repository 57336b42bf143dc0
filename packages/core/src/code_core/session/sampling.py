"""Asks the model once, reports what streams in, and asks again when the stream breaks."""

from dataclasses import dataclass, field

import anyio

from code_core.errors import RequestRefused, StreamBroken
from code_core.model.client import ModelClient
from code_core.model.retry import LONGEST_REQUESTED_DELAY, backoff
from code_core.protocol.events import (
    AgentMessage,
    AgentMessageDelta,
    AgentReasoning,
    AgentReasoningDelta,
    AgentReasoningRawContent,
    AgentReasoningRawContentDelta,
    AgentReasoningSectionBreak,
    EventMsg,
    StreamError,
    TokenUsage,
    WebSearchBegin,
    WebSearchComplete,
)
from code_core.protocol.items import (
    Message,
    Reasoning,
    ResponseItem,
    ToolCall,
    WebSearchCall,
)
from code_core.session.history import salvaged
from code_core.session.reporter import Reporter
from code_core.wire.prompt import Prompt
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


@dataclass(slots=True)
class Response:
    """What the model has answered so far."""

    items: list[ResponseItem] = field(default_factory=list)
    usage: TokenUsage | None = None

    @property
    def calls(self) -> list[ToolCall]:
        """The tool calls, in order."""
        return [item for item in self.items if isinstance(item, ToolCall)]

    @property
    def message(self) -> str | None:
        """The last message."""
        texts = [item.text for item in self.items if isinstance(item, Message) and item.role == "assistant"]
        return texts[-1] if texts else None


async def sample(client: ModelClient, prompt: Prompt, response: Response, reporter: Reporter) -> None:
    """Fill `response` with the model's answer to `prompt`.

    A stream that broke after finished tool calls counts as an answer that ends
    there: the calls run, and the next request tells the model of them. So no
    call ever runs twice. A stream that broke before is asked for again.

    Raises:
        ModelError: the provider refused, or retries were used up.
    """
    failed = {"request": 0, "stream": 0}
    limits = {"request": client.retry_limits.request, "stream": client.retry_limits.stream}
    while True:
        try:
            async with client.stream(prompt) as events:
                async for event in events:
                    await _take(event, response, reporter)
        except StreamBroken as error:
            response.items = salvaged(response.items)
            phase = "stream" if error.opened else "request"
            failed[phase] += 1
            if response.items:
                await _report_failure(error, failed[phase], limits[phase], 0.0, reporter)
                return
            if failed[phase] > limits[phase]:
                raise RequestRefused(f"{error} (gave up after {failed[phase]} attempts)") from error
            delay = backoff(failed[phase]) if error.delay is None else error.delay
            if delay > LONGEST_REQUESTED_DELAY:
                raise RequestRefused(
                    f"{error} (the provider asks to wait {delay:.0f} seconds: try again then)"
                ) from error
            await _report_failure(error, failed[phase], limits[phase], delay, reporter)
            await anyio.sleep(delay)
        else:
            return


async def _report_failure(
    error: StreamBroken, attempt: int, maximum: int, delay: float, reporter: Reporter
) -> None:
    await reporter.emit(
        StreamError(message=str(error), attempt=attempt, max=maximum, delay_ms=round(delay * 1000))
    )


async def _take(event: ResponseEvent, response: Response, reporter: Reporter) -> None:
    match event:
        case TextDelta(delta=delta, order=order):
            await reporter.emit(AgentMessageDelta(delta=delta), order)
        case ReasoningSummaryDelta(delta=delta, order=order) if not reporter.hide_reasoning:
            await reporter.emit(AgentReasoningDelta(delta=delta), order)
        case ReasoningSectionBreak(order=order) if not reporter.hide_reasoning:
            await reporter.emit(AgentReasoningSectionBreak(), order)
        case ReasoningTextDelta(delta=delta, order=order) if reporter.show_raw_reasoning:
            await reporter.emit(AgentReasoningRawContentDelta(delta=delta), order)
        case WebSearchStarted(call_id=call_id, order=order):
            await reporter.emit(WebSearchBegin(call_id=call_id), order)
        case ItemDone(item=item, order=order):
            response.items.append(item)
            for message in _finished(item, reporter):
                await reporter.emit(message, order)
        case Completed(usage=usage):
            response.usage = usage
            await reporter.count_tokens(usage)
        case RateLimits(snapshot=snapshot):
            reporter.rate_limits = snapshot
        case Created() | ReasoningSummaryDelta() | ReasoningSectionBreak() | ReasoningTextDelta():
            pass


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
