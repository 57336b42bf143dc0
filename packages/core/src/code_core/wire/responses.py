"""The Responses API: prompts to request bodies, server-sent events to response events.

Source: the OpenAI API reference, "Responses" and "Responses streaming", as of
October 2025. No IO: the caller moves the bytes.
"""

import json
import logging
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.protocol.events import EventOrder, TokenUsage
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary
from code_core.protocol.text import repaired
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    ReasoningSectionBreak,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    ResponseEvent,
    TextDelta,
    WebSearchStarted,
)
from code_core.wire.response_items import item_from_provider
from code_core.wire.retry_hint import retry_delay

_log = logging.getLogger("code_core")

_FATAL_CODES = {
    "insufficient_quota": "the account has no quota left: check plan and billing",
    "usage_not_included": "the plan does not include this use: upgrade it or use an API key",
    "invalid_prompt": "the provider refused the prompt",
    "cyber_policy": "the provider's usage policy forbids this request",
    "server_is_overloaded": "the provider is overloaded: try again later or choose another model",
    "slow_down": "the provider asks for fewer requests: try again later",
}


def request_body(prompt: Prompt, *, store: bool = False) -> dict[str, Any]:
    """The JSON body of `POST /responses`.

    `store` is for endpoints that keep responses (Azure): only there are item ids sent back.
    """
    settings = prompt.settings
    excluded = None if store else {"id"}
    reasoning = _reasoning(settings)
    body: dict[str, Any] = {
        "model": settings.model,
        "instructions": prompt.instructions,
        "input": [item.model_dump(mode="json", exclude=excluded, exclude_none=True) for item in prompt.input],
        "tools": _offered_tools(prompt),
        "tool_choice": "auto",
        "parallel_tool_calls": settings.parallel_tool_calls,
        "reasoning": reasoning,
        "store": store,
        "stream": True,
        "include": ["reasoning.encrypted_content"] if reasoning else [],
        "prompt_cache_key": prompt.conversation_id,
        "text": _text(prompt),
    }
    return {
        key: value for key, value in body.items() if value is not None and not (key == "tools" and not value)
    }


def request_json(prompt: Prompt, *, store: bool = False) -> bytes:
    """`request_body`, encoded; what is not Unicode in it is repaired."""
    body = request_body(prompt, store=store)
    try:
        return to_json(body)
    except PydanticSerializationError:
        return repaired(json.dumps(body, ensure_ascii=False, separators=(",", ":"))).encode()


def _reasoning(settings: ModelSettings) -> dict[str, str] | None:
    if not settings.reasoning:
        return None
    reasoning: dict[str, str] = {}
    if settings.effort is not None:
        reasoning["effort"] = settings.effort.value
    if settings.summary is not ReasoningSummary.NONE:
        reasoning["summary"] = settings.summary.value
    return reasoning or None


def _offered_tools(prompt: Prompt) -> list[dict[str, Any]]:
    # The API refuses hosted search together with minimal effort.
    without_search = prompt.settings.effort is ReasoningEffort.MINIMAL
    return [tool for tool in prompt.tools if not (without_search and tool.get("type") == "web_search")]


def _text(prompt: Prompt) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if prompt.settings.verbosity is not None:
        text["verbosity"] = prompt.settings.verbosity.value
    if prompt.output_schema is not None:
        text["format"] = {
            "type": "json_schema",
            "name": "code_output_schema",
            "strict": True,
            "schema": prompt.output_schema,
        }
    return text or None


def event_value(data: bytes) -> Any:
    """The decoded JSON of an event; text in it that is not Unicode is repaired.

    Providers that cut a text between the halves of a surrogate pair send halves.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return from_json(data)
    except ValueError:
        try:
            halves = json.loads(data.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError("nested too deep") from None
        return from_json(repaired(json.dumps(halves, ensure_ascii=False)))


class ResponseReader:
    """Turns the data of one response's server-sent events into response events.

    Feed it every event in order, then call `end()`. A `response.failed` does not
    raise at once, because the stream's end is what makes it final.
    """

    def __init__(self, request_ordinal: int = 0) -> None:
        self._ordinal = request_ordinal
        self._failure: ModelError | None = None
        self.completed = False

    def feed(self, data: bytes) -> ResponseEvent | None:
        """The response event in `data`, or None where it tells us nothing.

        Raises:
            StreamBroken: a finished item cannot be read.
        """
        try:
            event = event_value(data)
        except ValueError:
            if b'"response.output_item.done"' in data:
                raise StreamBroken("the provider sent a finished item that is not JSON") from None
            _log.debug("skipped an event that is not JSON (%d bytes)", len(data))
            return None
        if not isinstance(event, dict):
            _log.debug("skipped an event that is not an object")
            return None
        try:
            return self._read(event)
        except (ValidationError, TypeError, AttributeError) as error:
            _log.debug("skipped an event of type %r: %s", event.get("type"), type(error).__name__)
            return None

    def end(self) -> None:
        """Check that the response was whole.

        Raises:
            ModelError: it was not; the subclass says whether to ask again.
        """
        if self.completed:
            return
        raise self._failure or StreamBroken("the stream closed before response.completed")

    def _read(self, event: dict[str, Any]) -> ResponseEvent | None:
        match event.get("type"):
            case "response.output_text.delta":
                return TextDelta(_text_of(event, "delta"), self._order(event))
            case "response.reasoning_summary_text.delta":
                return ReasoningSummaryDelta(_text_of(event, "delta"), self._order(event))
            case "response.reasoning_text.delta":
                return ReasoningTextDelta(_text_of(event, "delta"), self._order(event))
            case "response.reasoning_summary_part.added":
                return ReasoningSectionBreak(self._order(event))
            case "response.output_item.added":
                return self._item_added(event)
            case "response.output_item.done":
                item = item_from_provider(event.get("item"))
                return None if item is None else ItemDone(item, self._order(event))
            case "response.created":
                return Created()
            case "response.completed":
                return self._completed(event.get("response"))
            case "response.failed":
                self._failure = failure_of(_dict(_dict(event.get("response")).get("error")))
            case "error":
                self._failure = failure_of(_dict(event.get("error")) or event)
            case "response.incomplete":
                self._failure = _incomplete(_dict(event.get("response")))
            case _:
                pass
        return None

    def _item_added(self, event: dict[str, Any]) -> ResponseEvent | None:
        item = _dict(event.get("item"))
        if item.get("type") == "web_search_call":
            return WebSearchStarted(str(item.get("id") or ""), self._order(event))
        return None

    def _completed(self, response: object) -> ResponseEvent:
        self.completed = True
        body = _dict(response)
        return Completed(str(body.get("id") or ""), _usage(body.get("usage")))

    def _order(self, event: dict[str, Any]) -> EventOrder:
        return EventOrder(
            request_ordinal=self._ordinal,
            output_index=_int_or_none(event.get("output_index")),
            sequence_number=_int_or_none(event.get("sequence_number")),
        )


def failure_of(error: dict[str, Any]) -> ModelError:
    """The exception that an API error object `{code, message}` stands for."""
    code = str(error.get("code") or error.get("type") or "")
    message = str(error.get("message") or "no message")[:2000]
    if code == "context_length_exceeded":
        return ContextWindowExceeded(
            f"the conversation does not fit the model's context window: {message} (start a new one or compact it)"
        )
    if advice := _FATAL_CODES.get(code):
        return RequestRefused(f"{advice} ({code}: {message})")
    delay = retry_delay(message) if code == "rate_limit_exceeded" else None
    return StreamBroken(f"the response failed ({code or 'no code'}): {message}", delay=delay)


def _incomplete(response: dict[str, Any]) -> ModelError:
    reason = str(_dict(response.get("incomplete_details")).get("reason") or "unknown reason")
    if reason == "content_filter":
        return RequestRefused("the provider's content filter stopped the response")
    if reason == "max_output_tokens":
        return RequestRefused(
            "the response reached the model's output limit (max_output_tokens): ask for less at once"
        )
    return StreamBroken(f"the response is incomplete: {reason}")


def _usage(usage: object) -> TokenUsage | None:
    if not isinstance(usage, dict):
        return None
    counts = {
        "input_tokens": usage.get("input_tokens"),
        "cached_input_tokens": _dict(usage.get("input_tokens_details")).get("cached_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "reasoning_output_tokens": _dict(usage.get("output_tokens_details")).get("reasoning_tokens"),
        "total_tokens": usage.get("total_tokens"),
    }
    return TokenUsage(**{name: count for name, count in counts.items() if isinstance(count, int)})


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _text_of(event: dict[str, Any], key: str) -> str:
    text = event.get(key)
    if not isinstance(text, str):
        raise TypeError(key)
    return text
