"""The rules that the Responses API enforces with a 400.

Source: the OpenAI API reference, "Create a model response", and the API's own
messages, as of October 2025.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

_OUTPUT_OF = {
    "function_call": "function_call_output",
    "local_shell_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
_OUTPUTS = frozenset(_OUTPUT_OF.values())
_FROM_MODEL = frozenset({*_OUTPUT_OF, "reasoning", "web_search_call"})
_TO_MODEL = frozenset({"input_text", "input_image", "input_file"})
_CONTENT_OF = {
    "user": _TO_MODEL,
    "developer": _TO_MODEL,
    "system": _TO_MODEL,
    "assistant": frozenset({"output_text", "refusal"}),
}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

Item = Mapping[str, Any]


def violations(body: object) -> list[str]:
    """The faults of a request's decoded body; empty for a valid one."""
    if not isinstance(body, dict):
        return ["the body is not an object"]
    problems = [*_settings(body)]
    items = body.get("input")
    if not isinstance(items, list) or not items:
        return [*problems, "input is not a list of items"]
    if strangers := [number for number, item in enumerate(items) if not isinstance(item, dict)]:
        return [*problems, *(f"item {number} is not an object" for number in strangers)]
    problems += _pairs(items)
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else {}
        problems += (f"item {number}: {problem}" for problem in _item(item, following))
        if "id" in item and body.get("store") is not True:
            problems.append(f"item {number}: has an id although nothing is stored")
    return problems


def _settings(body: Item) -> Iterator[str]:
    if not isinstance(body.get("model"), str) or not body["model"]:
        yield "model is not a name"
    if body.get("stream") is not True:
        yield "stream is not true"
    if not isinstance(body.get("store"), bool):
        yield "store is neither true nor false"  # absent means true, so it must be explicit


def _pairs(items: list[Item]) -> Iterator[str]:
    """Every call has one output after it, of the type that answers it."""
    waiting: dict[str, str] = {}
    seen: set[str] = set()
    for number, item in enumerate(items):
        kind = _type(item)
        if kind not in _OUTPUT_OF and kind not in _OUTPUTS:
            continue
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id:
            yield f"item {number}: call_id is not an id"
        elif kind in _OUTPUT_OF:
            if call_id in seen:
                yield f"the call id {call_id!r} is used twice"
            seen.add(call_id)
            waiting[call_id] = _OUTPUT_OF[kind]
        elif (wanted := waiting.pop(call_id, None)) is None:
            yield f"an output for {call_id!r}, which is not waiting for one"
        elif wanted != kind:
            yield f"the output for {call_id!r} is of the wrong type"
    yield from (f"no output for the call {call_id!r}" for call_id in waiting)


def _item(item: Item, following: Item) -> Iterator[str]:
    match kind := _type(item):
        case "message":
            yield from _message(item)
        case "reasoning":
            if not _from_model(following):
                yield "reasoning without the item that must follow it"
        case "function_call" | "custom_tool_call":
            text = "arguments" if kind == "function_call" else "input"
            if not isinstance(item.get(text), str):
                yield f"{text} is not text"
            elif kind == "function_call" and not _is_json_object(item[text]):
                yield "arguments is not a JSON object"
            if not _NAME.fullmatch(str(item.get("name"))):
                yield f"{item.get('name')!r} is not the name of a tool"
        case "function_call_output" | "custom_tool_call_output":
            if not isinstance(item.get("output"), str | list):
                yield "output is neither text nor content"
        case "local_shell_call" | "web_search_call":
            pass
        case _:
            yield f"unknown type {item.get('type')!r}"


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(from_json(text, allow_inf_nan=False), dict)
    except ValueError:
        return False


def _message(item: Item) -> Iterator[str]:
    role, content = item.get("role"), item.get("content")
    if not isinstance(role, str) or role not in _CONTENT_OF:
        yield f"unknown role {role!r}"
    elif isinstance(content, list):
        kinds = [_type(part) if isinstance(part, dict) else "" for part in content]
        strange = [kind for kind in kinds if kind not in _CONTENT_OF[role]]
        yield from (f"content {kind!r} in a message of the {role}" for kind in strange)
    elif not isinstance(content, str):
        yield "content is neither text nor a list"


def _from_model(item: Item) -> bool:
    if _type(item) == "message":
        return item.get("role") == "assistant"
    return _type(item) in _FROM_MODEL


def _type(item: Item) -> str:
    """The item's type; empty where it is not even text."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else ""
