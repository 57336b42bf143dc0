"""Validates items from a provider: only what a model may send, completed where a provider omits a part.

Nothing here is trusted: a provider that could send user messages or tool outputs could forge a
history.
"""

import json
import logging
from math import isfinite
from typing import Any

from pydantic import ValidationError

from code_core.errors import StreamBroken
from code_core.lazy_pattern import lazy_pattern
from code_core.protocol.items import (
    CustomToolCall,
    FunctionCall,
    LocalShellCall,
    Message,
    Reasoning,
    ResponseItem,
    ToolCall,
    WebSearchCall,
)

_log = logging.getLogger("code_core")

_FromModel = Message | Reasoning | FunctionCall | CustomToolCall | LocalShellCall | WebSearchCall
_CALLS: dict[str, type[_FromModel]] = {
    "function_call": FunctionCall,
    "custom_tool_call": CustomToolCall,
    "local_shell_call": LocalShellCall,
}
# By type, as building a validator for all of them at once would take longer than for those that come.
_FROM_A_MODEL: dict[str, type[_FromModel]] = _CALLS | {
    "message": Message,
    "reasoning": Reasoning,
    "web_search_call": WebSearchCall,
}
LONGEST_NAME = 64
# The API accepts no other names, and would reject every later request of the conversation.
_NOT_IN_A_NAME = lazy_pattern(r"[^A-Za-z0-9_-]")


def item_from_provider(value: object) -> ResponseItem | None:
    """Return the finished item in `value` (decoded JSON), or None if its type is unknown or not allowed.

    Also returns None for a message without text and for a call that the provider marks as cut off.
    A call without an id gets an empty one, which the session replaces. Invalid characters in a
    tool's name become `_`.

    Raises:
        StreamBroken: it has a known type but is incomplete; skipping a call would leave its work undone.
    """
    if not isinstance(value, dict):
        raise StreamBroken("the provider sent an item that is not an object")
    kind = value.get("type")
    if (
        not isinstance(kind, str)
        or kind not in _FROM_A_MODEL
        or (kind == "message" and (value.get("role") or "assistant") != "assistant")
    ):
        _log.warning("skipped an item of type %.40r: a model does not send it", kind)
        return None
    if kind in _CALLS and value.get("status") == "incomplete":
        _log.warning("skipped a call that the provider cut off")
        return None
    try:
        item = _FROM_A_MODEL[kind].model_validate(_completed(kind, value))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise StreamBroken(f"the provider sent a broken item: {where} is missing or wrong") from error
    return None if item.type == "message" and not item.text else item


def is_answer(item: ResponseItem) -> bool:
    """Whether `item` is a message or a call, not just reasoning or a search."""
    return item.type == "message" or isinstance(item, ToolCall)


def _completed(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    item = item | {"id": item["id"] if isinstance(item.get("id"), str) else None}
    match kind:
        case "message":
            return item | {"role": "assistant", "content": _content(item.get("content"))}
        case "reasoning":
            encrypted = item.get("encrypted_content")
            return item | {
                "summary": _texts(item.get("summary")),
                "content": _texts(item.get("content")) or None,
                "encrypted_content": encrypted if isinstance(encrypted, str) and encrypted else None,
            }
        case "web_search_call":
            action, status = item.get("action"), item.get("status")
            return item | {
                "action": action if isinstance(action, dict) else None,
                "status": status if isinstance(status, str) else None,
            }
        case _:
            return _call(kind, item)


def _call(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    call_id = item.get("call_id")
    if isinstance(call_id, int):
        call_id = str(call_id)
    item = item | {"call_id": call_id if isinstance(call_id, str) else item["id"] or ""}
    if isinstance(name := item.get("name"), str):
        item |= {"name": _NOT_IN_A_NAME.sub("_", name)[:LONGEST_NAME] or "_"}
    if not isinstance(item.get("status"), str):
        item.pop("status", None)
    if kind == "function_call" and not isinstance(item.get("arguments"), str):
        arguments = item.get("arguments")
        item |= {"arguments": "{}" if arguments is None else json.dumps(arguments)}
    if isinstance(action := item.get("action"), dict):
        item |= {"action": _action(action)}
    return item


def _action(action: dict[str, Any]) -> dict[str, Any]:
    """The command of a shell call, without optional fields that have the wrong type."""
    kind, timeout, directory = action.get("type"), action.get("timeout_ms"), action.get("working_directory")
    return {
        "type": kind if isinstance(kind, str) else "exec",
        "command": action.get("command"),
        "timeout_ms": int(timeout) if isinstance(timeout, int | float) and isfinite(timeout) else None,
        "working_directory": directory if isinstance(directory, str) else None,
    }


def _content(content: object) -> list[dict[str, str]]:
    """The parts of a message that contain text."""
    parts = [content] if isinstance(content, str | dict) else content if isinstance(content, list) else []
    read = [_part(part) for part in parts]
    return [part for part in read if part is not None]


def _part(part: object) -> dict[str, str] | None:
    match part:
        case str():
            return {"type": "output_text", "text": part}
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "refusal", "refusal": text}
        case {"type": "output_text" | "text" | "input_text", "text": str(text)}:
            return {"type": "output_text", "text": text}
        case {"text": str(text), **rest} if "type" not in rest:
            return {"type": "output_text", "text": text}
        case _:
            return None


def _texts(parts: object) -> list[dict[str, str]]:
    """The texts of reasoning, however they are wrapped."""
    if isinstance(parts, str | dict):
        parts = [parts]
    texts = (
        [part.get("text") if isinstance(part, dict) else part for part in parts]
        if isinstance(parts, list)
        else []
    )
    return [{"text": text} for text in texts if isinstance(text, str)]
