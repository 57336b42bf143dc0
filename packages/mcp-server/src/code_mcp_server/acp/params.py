"""Reads the parameters of a request."""

from collections.abc import Mapping
from typing import Any

from code_mcp_server.jsonrpc import Code, RpcError


def text_in(params: Mapping[str, Any], name: str, longest: int = 32_768) -> str:
    """Return the text at `name`.

    Raises:
        RpcError: it is missing or too long.
    """
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise RpcError(Code.INVALID_PARAMS, f"{name} must be a non-empty string")
    if len(value) > longest:
        raise RpcError(Code.INVALID_PARAMS, f"{name} is longer than {longest:,} characters")
    return value
