"""MCP client over the official SDK, with a configurable buffer and a linear stdio transport.

Importing this package is cheap. `McpClient` and related names are loaded on first use, because
importing the SDK takes half a second.
"""

import logging
from typing import TYPE_CHECKING, Any

from code_mcp_client.config import McpClientConfig, parse_capacity
from code_mcp_client.errors import (
    ClientClosed,
    ConnectionLost,
    InvalidResult,
    InvalidSetting,
    MalformedMessage,
    McpClientError,
    MessageTooLarge,
    NoisyServer,
    RequestFailed,
    RequestTimedOut,
    ServerExited,
    ServerNotFound,
    ServerStartError,
    UnusableAnswer,
)

if TYPE_CHECKING:
    from code_mcp_client.client import McpClient, create_large_response_client
    from code_mcp_client.connect import ClientCallbacks
    from code_mcp_client.messages import Notification
    from code_mcp_client.notifications import Notifications

_LAZY = {
    "ClientCallbacks": "connect",
    "McpClient": "client",
    "Notification": "messages",
    "Notifications": "notifications",
    "create_large_response_client": "client",
}

__all__ = [
    "ClientCallbacks",
    "ClientClosed",
    "ConnectionLost",
    "InvalidResult",
    "InvalidSetting",
    "MalformedMessage",
    "McpClient",
    "McpClientConfig",
    "McpClientError",
    "MessageTooLarge",
    "NoisyServer",
    "Notification",
    "Notifications",
    "RequestFailed",
    "RequestTimedOut",
    "ServerExited",
    "ServerNotFound",
    "ServerStartError",
    "UnusableAnswer",
    "create_large_response_client",
    "parse_capacity",
]

logging.getLogger("code_mcp_client").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value
