"""JSON-RPC errors, and lines as messages of a client. No IO.

Source: JSON-RPC 2.0, and the error codes that MCP 2026-07-28 adds.
"""

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022


class RpcError(Exception):
    """A request that is answered with a JSON-RPC error.

    Attributes:
        code: the error code.
        data: what the client gets besides the message.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
