"""Repairs server messages that violate the protocol, if their meaning is clear. No IO.

One invalid tool must not hide a server's other tools, nor one invalid part an otherwise valid result.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import mcp_types as types
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

_ANY_OBJECT = {"type": "object"}
_UNCACHED = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
"""Required fields of a list since 2026-07-28, for servers that omit them."""
_MOST_ATTEMPTS = 8
_EXCERPT = 200
_BLOCK: TypeAdapter[types.ContentBlock] = TypeAdapter(types.ContentBlock)


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

    An `isError` that is neither true nor false counts as true.
    """
    mended = dict(result)
    content = result.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if content is None and mended.get("structuredContent") is not None:
        content = []
    if isinstance(content, list):
        mended["content"] = [_mended_block(block) for block in content]
    is_error = mended.get("isError", False)
    mended["isError"] = is_error if isinstance(is_error, bool) else is_error is not None
    if not isinstance(mended.get("_meta"), dict):
        mended.pop("_meta", None)
    return mended


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


def _mended_block(block: Any) -> Any:
    try:
        _BLOCK.validate_python(block, by_name=False)
    except ValidationError:
        match block:
            case {"type": "text", "text": text}:
                return {"type": "text", "text": text if isinstance(text, str) else _json(text)}
            case str(text):
                return {"type": "text", "text": text}
            case _:
                return {"type": "text", "text": f"[a part that cannot be read: {_excerpt(block)}]"}
    return block


def _json(value: Any) -> str:
    return to_json(value, fallback=str, inf_nan_mode="constants").decode("utf-8", "replace")


def _excerpt(value: Any) -> str:
    text = _json(value)
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…"
