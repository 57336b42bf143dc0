"""The two eras of MCP, as visible in a request. No IO and few imports, because the handshake waits for it.

Up to 2025-11-25, a connection begins with `initialize`. Since 2026-07-28, every request carries the
protocol version and the client's capabilities in its `_meta`. Source: MCP 2026-07-28, "Lifecycle".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from code_mcp_server.jsonrpc import Code, RpcError

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)

_NAMESPACE = "io.modelcontextprotocol/"
VERSION_KEY = f"{_NAMESPACE}protocolVersion"
CAPABILITIES_KEY = f"{_NAMESPACE}clientCapabilities"
LOG_LEVEL_KEY = f"{_NAMESPACE}logLevel"
SERVER_INFO_KEY = f"{_NAMESPACE}serverInfo"
TASKS = f"{_NAMESPACE}tasks"
"""The extension that lets a call answer with a task."""

LogLevel = Literal["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
LOG_LEVELS: tuple[LogLevel, ...] = (
    *("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"),
)


@dataclass(frozen=True, slots=True)
class ClientAbilities:
    """The abilities that a client declares.

    Attributes:
        elicits: whether it can show forms to its user.
        opens_urls: whether it can open pages for its user.
        tasks: whether it supports tasks (modern only).
        experimental: names of its experimental capabilities.
    """

    elicits: bool = False
    opens_urls: bool = False
    tasks: bool = False
    experimental: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Envelope:
    """The information about the client in a modern request."""

    version: str
    abilities: ClientAbilities
    log_level: LogLevel | None = None


def abilities_of(capabilities: Mapping[str, Any]) -> ClientAbilities:
    """Parse a `capabilities` object. `elicitation: {}` means forms, as older clients declare them."""
    elicitation, extensions = capabilities.get("elicitation"), capabilities.get("extensions")
    experimental = capabilities.get("experimental")
    return ClientAbilities(
        elicits=isinstance(elicitation, dict) and (not elicitation or elicitation.get("form") is not None),
        opens_urls=isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict),
        tasks=isinstance(extensions, dict) and isinstance(extensions.get(TASKS), dict),
        experimental=frozenset(experimental if isinstance(experimental, dict) else ()),
    )


def has_envelope(params: Mapping[str, Any] | None) -> bool:
    """Whether a request is modern: its `_meta` names a protocol version."""
    meta = (params or {}).get("_meta")
    return isinstance(meta, dict) and VERSION_KEY in meta


def envelope_of(params: Mapping[str, Any] | None) -> Envelope:
    """Parse the envelope of a modern request.

    Raises:
        RpcError: it is missing or malformed, or its version is not supported.
    """
    meta = (params or {}).get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    version, capabilities = meta.get(VERSION_KEY), meta.get(CAPABILITIES_KEY)
    if not isinstance(version, str):
        raise RpcError(Code.INVALID_PARAMS, f"_meta[{VERSION_KEY!r}] must be a string")
    if version not in MODERN_VERSIONS:
        raise unsupported(version)
    if not isinstance(capabilities, dict):
        raise RpcError(Code.INVALID_PARAMS, f"_meta[{CAPABILITIES_KEY!r}] must be an object")
    level = meta.get(LOG_LEVEL_KEY)
    if level is not None and level not in LOG_LEVELS:
        raise RpcError(
            Code.INVALID_PARAMS, f"_meta[{LOG_LEVEL_KEY!r}] must be one of {', '.join(LOG_LEVELS)}"
        )
    return Envelope(version, abilities_of(capabilities), level)


def unsupported(version: str) -> RpcError:
    """Return the error for an unsupported protocol version."""
    data = {"supported": [*MODERN_VERSIONS], "requested": version}
    return RpcError(Code.UNSUPPORTED_VERSION, f"unsupported protocol version {version[:100]!r}", data)


def negotiated(version: str) -> str:
    """Return the handshake version for answering `initialize`: the client's, or the newest one."""
    return version if version in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
