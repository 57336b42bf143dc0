"""The items that a provider sends: only what a model may say, made whole where a provider left out a part.

Nothing in here is trusted: a provider that could send a user's message or the output
of a tool could make up a history.
"""

import json
import logging
import re
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from code_core.errors import StreamBroken
from code_core.protocol.items import ResponseItem

_log = logging.getLogger("code_core")

_CALLS = {"function_call", "custom_tool_call", "local_shell_call"}
_FROM_A_MODEL = _CALLS | {"message", "reasoning", "web_search_call"}
LONGEST_NAME = 64
# The API takes no other names back, and refused every later request of the conversation.
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_PARTS_OF_A_MESSAGE = {"output_text", "refusal"}


def item_from_provider(value: object) -> ResponseItem | None:
    """The finished item that `value`, decoded JSON, stands for; None for kinds that we do not know or allow.

    A call without an id has an empty one, for the session to replace; what no name of a tool
    has becomes `_` in its name.

    Raises:
        StreamBroken: it is of a known kind, but not whole; skipping a call would leave its work undone.
    """
    if not isinstance(value, dict):
        raise StreamBroken("the provider sent an item that is no object")
    kind = value.get("type")
    if kind not in _FROM_A_MODEL or (kind == "message" and value.get("role", "assistant") != "assistant"):
        _log.warning("skipped an item of type %.40r: a model does not send it", kind)
        return None
    try:
        return _adapter().validate_python(_completed(value))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise StreamBroken(f"the provider sent a broken item: {field} is missing or wrong") from error


def _completed(item: dict[str, Any]) -> dict[str, Any]:
    kind = item["type"]
    if kind in _CALLS and not isinstance(item.get("call_id"), str):
        item = item | {"call_id": item["id"] if isinstance(item.get("id"), str) else ""}
    if kind in _CALLS and isinstance(name := item.get("name"), str):
        item = item | {"name": _NOT_IN_A_NAME.sub("_", name)[:LONGEST_NAME] or "_"}
    if kind == "function_call" and not isinstance(item.get("arguments"), str):
        arguments = item.get("arguments")
        item = item | {"arguments": "{}" if arguments is None else json.dumps(arguments)}
    if kind == "message":
        item = item | {"role": "assistant", "content": _content(item.get("content"))}
    return item


def _content(content: object) -> object:
    match content:
        case str():
            return [{"type": "output_text", "text": content}]
        case list():
            return [
                part for part in content if isinstance(part, dict) and part.get("type") in _PARTS_OF_A_MESSAGE
            ]
        case _:
            return content


@cache
def _adapter() -> TypeAdapter[ResponseItem]:
    return TypeAdapter(ResponseItem)
