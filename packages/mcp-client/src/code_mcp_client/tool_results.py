"""Validates the results of tools, in pieces if they are long. No IO."""

from typing import Any

import mcp_types as types
from pydantic import TypeAdapter, ValidationError

from code_mcp_client.garbage import collection_paused
from code_mcp_client.mending import mended_result

_AT_ONCE = 500
"""Content blocks validated by one call into C, which takes a few milliseconds."""
_BLOCKS: TypeAdapter[list[types.ContentBlock]] = TypeAdapter(list[types.ContentBlock])


def tool_result(raw: dict[str, Any]) -> types.CallToolResult:
    """Return a `tools/call` result; its invalid parts are mended.

    Raises:
        ValidationError: it cannot be mended.
    """
    try:
        return _validated(raw)
    except ValidationError:
        return _validated(mended_result(raw))


def _validated(raw: dict[str, Any]) -> types.CallToolResult:
    content = raw.get("content")
    if not isinstance(content, list) or len(content) <= _AT_ONCE:
        return types.CallToolResult.model_validate(raw, by_name=False)
    result = types.CallToolResult.model_validate({**raw, "content": []}, by_name=False)
    with collection_paused(worth_it=True):
        for start in range(0, len(content), _AT_ONCE):
            result.content += _BLOCKS.validate_python(content[start : start + _AT_ONCE], by_name=False)
    return result
