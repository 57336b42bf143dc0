"""Repairs server messages that violate the protocol, if their meaning is clear. No IO.

One invalid tool must not hide a server's other tools, nor one invalid part an otherwise valid result.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import mcp_types as types
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

_ANY_OBJECT = {"type": "object"}
_UNCACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
"""Required fields of a list since 2026-07-28, for servers that omit them."""
_MOST_ATTEMPTS = 8
_EXCERPT = 200
_BLOCK: TypeAdapter[types.ContentBlock] = TypeAdapter(types.ContentBlock)
_Result = TypeVar("_Result", bound=BaseModel)


def validated(
    model: type[_Result], mend: Callable[[dict[str, Any]], dict[str, Any]], raw: dict[str, Any]
) -> _Result:
    """Return `raw` as a `model`, mended if necessary.

    Raises:
        ValidationError: it is invalid even when mended.
    """
    try:
        return model.model_validate(raw, by_name=False)
    except ValidationError:
        return model.model_validate(mend(raw), by_name=False)


def mended_tools(result: dict[str, Any], version: str) -> tuple[dict[str, Any], list[str]]:
    """Return a page of `tools/list` in which every tool is valid, and why others are left out.

    A missing or invalid input schema accepts any object; an invalid output schema, hint or description is
    dropped. Anything that is not a list of tools is returned unchanged.

    Args:
        result: the server's result.
        version: the negotiated protocol revision.
    """
    if version in MODERN_PROTOCOL_VERSIONS:
        result = {**_UNCACHED, **result}
    tools = result.get("tools")
    if not isinstance(tools, list) or _is_valid(tools, version):
        return result, []
    kept: list[dict[str, Any]] = []
    problems: list[str] = []
    for tool in tools:
        mended = _mended_tool(tool, version)
        if mended is None:
            problems.append(f"a tool that cannot be used was left out: {_excerpt(tool)}")
        else:
            kept.append(mended)
    return {**result, "tools": kept}, problems


def mended_result(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `tools/call` result in which every part is valid; an invalid part becomes a text that says so.

    A result without content is empty, and an `isError` that is neither true nor false counts as true.
    """
    mended = dict(result)
    content = result.get("content", result.get("toolResult"))  # `toolResult`: servers of 2024-10-07
    parts = [] if content is None else content if isinstance(content, list) else [content]
    mended["content"] = [mended_block(part) for part in parts]
    is_error = mended.get("isError", False)
    mended["isError"] = is_error if isinstance(is_error, bool) else is_error is not None
    if not isinstance(mended.get("_meta"), dict):
        mended.pop("_meta", None)
    return mended


def mended_contents(result: Mapping[str, Any], uri: str) -> dict[str, Any]:
    """Return a `resources/read` result in which every part is valid; `uri` is for parts that have none."""
    contents = result.get("contents")
    parts = contents if isinstance(contents, list) else [] if contents is None else [contents]
    return {**_UNCACHED, "contents": [_mended_content(part, uri) for part in parts]}


def mended_prompt(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a `prompts/get` result in which every message is valid and has one part."""
    given = result.get("messages")
    messages: list[dict[str, Any]] = []
    for message in given if isinstance(given, list) else [] if given is None else [given]:
        role: object = "user"
        content: object = message
        if isinstance(message, dict) and "content" in message:
            role, content = message.get("role"), message["content"]
        messages += [
            {"role": "assistant" if role == "assistant" else "user", "content": mended_block(part)}
            for part in (content if isinstance(content, list) else [content])
        ]
    return {"resultType": "complete", "messages": messages}


def _mended_tool(tool: Any, version: str) -> dict[str, Any] | None:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
        return None
    mended = dict(tool)
    for schema in ("inputSchema", "outputSchema"):
        if isinstance(mended.get(schema), dict):
            mended[schema] = _ANY_OBJECT | mended[schema]
    for _ in range(_MOST_ATTEMPTS):
        faults = _faults(mended, version)
        if not faults:
            return mended
        for fault in faults:
            match fault:
                case ("name", *_):
                    return None
                case ("inputSchema", *_):
                    mended["inputSchema"] = _ANY_OBJECT
                case ("annotations", str(hint), *_) if isinstance(mended.get("annotations"), dict):
                    mended["annotations"] = {k: v for k, v in mended["annotations"].items() if k != hint}
                case (str(field), *_):
                    mended.pop(field, None)
                case _:
                    return None
    return None


def _faults(tool: dict[str, Any], version: str) -> list[tuple[int | str, ...]]:
    """The locations where the tool violates the protocol or the SDK's model."""
    try:
        _validate([tool], version)
    except ValidationError as error:
        return [fault["loc"][2:] for fault in error.errors(include_input=False, include_url=False)]
    return []


def _is_valid(tools: list[Any], version: str) -> bool:
    try:
        _validate(tools, version)
    except ValidationError:
        return False
    return True


def _validate(tools: list[Any], version: str) -> None:
    page = {"tools": tools, **(_UNCACHED if version in MODERN_PROTOCOL_VERSIONS else {})}
    with suppress(KeyError):  # a revision unknown to the SDK
        methods.validate_server_result("tools/list", version, page)
    types.ListToolsResult.model_validate(page, by_name=False)


def mended_block(block: Any) -> Any:
    """Return a valid content block: `block` itself, what can be understood of it, or a text that says it cannot."""
    if _is_block(block):
        return block
    match block:
        case {"type": "text", "text": text}:
            return _text("" if text is None else text if isinstance(text, str) else _json(text))
        case str(text):
            return _text(text)
        case {"type": "image" | "audio" as kind, "data": str(data)}:
            given = block.get("mimeType")
            return {"type": kind, "data": data, "mimeType": given if isinstance(given, str) else f"{kind}/*"}
        case {"type": "resource_link", "uri": str(uri)}:
            name = block.get("name")
            return {"type": "resource_link", "uri": uri, "name": name if isinstance(name, str) else uri}
        case {"type": "resource", "resource": {"text": str(text)}}:
            return _text(text)
        case _:
            return _text(f"[a part that cannot be read: {_excerpt(block)}]")


def _is_block(value: Any) -> bool:
    try:
        _BLOCK.validate_python(value, by_name=False)
    except ValidationError:
        return False
    return True


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _mended_content(content: Any, uri: str) -> dict[str, Any]:
    """A part of a resource, as text or as base64."""
    given = content if isinstance(content, dict) else {"text": content}
    mended = {key: given[key] for key in ("uri", "mimeType") if isinstance(given.get(key), str)}
    kind = next((kind for kind in ("text", "blob") if isinstance(given.get(kind), str)), None)
    body = (
        {"text": f"[a part that cannot be read: {_excerpt(content)}]"}
        if kind is None
        else {kind: given[kind]}
    )
    return {"uri": uri, **mended, **body}


def _json(value: Any) -> str:
    return to_json(value, fallback=str, inf_nan_mode="constants").decode("utf-8", "replace")


def _excerpt(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
