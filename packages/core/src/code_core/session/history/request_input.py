"""Converts the history to input that the model API accepts."""

from collections.abc import Container, Iterable, Sequence
from uuid import uuid4

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    LocalShellCall,
    Message,
    Reasoning,
    ResponseItem,
    ToolCall,
    ToolCallOutput,
    output_for,
    output_type,
)
from code_core.wire.arguments import sendable_arguments
from code_core.wire.response_items import is_answer

ABORTED = "aborted"


def normalised(items: Iterable[ResponseItem]) -> list[ResponseItem]:
    """Return `items` as valid input: every call has exactly one output, which follows it.

    A call without an output of its type gets `aborted` directly after it. Outputs without a
    call, repeated call ids, and trailing reasoning (which the API refuses) are dropped.
    Arguments that are not a JSON object are replaced by one (see `sendable_arguments`).
    """
    items = list(items)
    answers = _answers(items)
    seen: set[str] = set()
    result: list[ResponseItem] = []
    unanswered: set[str] = set()
    for item in items:
        match item:
            case FunctionCall() | LocalShellCall() | CustomToolCall():
                if item.call_id in seen:
                    continue
                seen.add(item.call_id)
                result.append(_sendable(item))
                if item.call_id in answers:
                    unanswered.add(item.call_id)
                else:
                    result.append(output_for(item, ABORTED))
            case FunctionCallOutput() | CustomToolCallOutput():
                if item.call_id in unanswered and answers[item.call_id] is item:
                    unanswered.remove(item.call_id)
                    result.append(item)
            case _:
                result.append(item)
    return _without_dangling_reasoning(result)


def _sendable(call: ToolCall) -> ToolCall:
    if (
        not isinstance(call, FunctionCall)
        or (arguments := sendable_arguments(call.arguments)) == call.arguments
    ):
        return call
    return call.model_copy(update={"arguments": arguments})


def _without_dangling_reasoning(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    kept: list[ResponseItem] = []
    for item in reversed(items):
        if not isinstance(item, Reasoning) or (kept and _is_from_model(kept[-1])):
            kept.append(item)
    kept.reverse()
    return kept


def _is_from_model(item: ResponseItem) -> bool:
    match item:
        case Message(role=role):
            return role == "assistant"
        case FunctionCallOutput() | CustomToolCallOutput():
            return False
        case _:
            return True


def _answers(items: Sequence[ResponseItem]) -> dict[str, ToolCallOutput]:
    """The first output of the right type after each call, by call id."""
    calls: dict[str, ToolCall] = {}
    answers: dict[str, ToolCallOutput] = {}
    for item in items:
        match item:
            case FunctionCall() | LocalShellCall() | CustomToolCall():
                calls.setdefault(item.call_id, item)
            case FunctionCallOutput() | CustomToolCallOutput():
                call = calls.get(item.call_id)
                if call is not None and type(item) is output_type(call):
                    answers.setdefault(item.call_id, item)
            case _:
                pass
    return answers


def with_own_ids(items: Iterable[ResponseItem], taken: Container[str]) -> list[ResponseItem]:
    """Return `items` with a call id for each call that is unique and not in `taken`.

    Some providers restart their call ids with each response or omit them; the API accepts an id
    only once per conversation, and outputs, approvals and files are matched by it.
    """
    used = {""}
    result: list[ResponseItem] = []
    for item in items:
        if isinstance(item, ToolCall):
            if item.call_id in used or item.call_id in taken:
                item = item.model_copy(update={"call_id": f"call_{uuid4().hex}"})  # noqa: PLW2901 - the same call
            used.add(item.call_id)
        result.append(item)
    return result


def salvaged(items: Sequence[ResponseItem]) -> list[ResponseItem]:
    """The part of an interrupted response to keep: everything up to its last finished message or call.

    Trailing reasoning is dropped, because the API accepts it only together with the item it led to.
    """
    last = max((index for index, item in enumerate(items) if is_answer(item)), default=-1)
    return list(items[: last + 1])
