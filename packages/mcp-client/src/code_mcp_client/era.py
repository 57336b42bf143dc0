"""The two eras of MCP, as a client encodes them in a request. No IO.

Up to 2025-11-25, a connection is negotiated by `initialize`. Since 2026-07-28, every request carries the
protocol version, the client and its capabilities in `_meta`; over HTTP, headers repeat some of it.
Source: MCP 2026-07-28, "Lifecycle" and "Transports".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcp.shared.dispatcher import CallOptions
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)
from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    CLIENT_INFO_META_KEY,
    PROTOCOL_VERSION_META_KEY,
    ClientCapabilities,
    Implementation,
)

_UNCANCELLED = frozenset({"initialize", "server/discover"})
"""Negotiation requests, which must not be cancelled."""


@dataclass(slots=True)
class ModernEra:
    """A revision of 2026-07-28 or later.

    Attributes:
        version: the negotiated protocol version.
        client: the client's name and version.
        capabilities: the client's capabilities.
    """

    version: str
    client: Implementation
    capabilities: ClientCapabilities
    _envelope: dict[str, Any] = field(init=False)
    _headers: dict[str, dict[tuple[str, ...], str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._envelope = {
            PROTOCOL_VERSION_META_KEY: self.version,
            CLIENT_INFO_META_KEY: _dumped(self.client),
            CLIENT_CAPABILITIES_META_KEY: _dumped(self.capabilities),
        }

    def stamp(
        self, method: str, params: Mapping[str, Any] | None, options: CallOptions | None
    ) -> tuple[dict[str, Any], CallOptions]:
        """Add the envelope to a message and its headers to the options; other members of `_meta` are kept."""
        meta = (params or {}).get("_meta")
        stamped = {
            **(params or {}),
            "_meta": {**(meta if isinstance(meta, Mapping) else {}), **self._envelope},
        }
        headers = {
            **((options or {}).get("headers") or {}),
            MCP_PROTOCOL_VERSION_HEADER: self.version,
            MCP_METHOD_HEADER: method,
        }
        if isinstance(name := stamped.get(NAME_BEARING_METHODS.get(method, "")), str):
            headers[MCP_NAME_HEADER] = encode_header_value(name)
        if method == "tools/call" and (declared := self._headers.get(str(stamped.get("name")))):
            headers |= mcp_param_headers(declared, stamped.get("arguments") or {})
        options = {**(options or {}), "headers": headers}
        if method in _UNCANCELLED:
            options["cancel_on_abandon"] = False
        return stamped, options

    def learn(self, listed: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return a page of tools without those with invalid header annotations, and why they are left out.

        Remembers which arguments of the other tools are sent as headers.
        """
        tools = listed.get("tools")
        if not isinstance(tools, list):
            return listed, []
        kept, problems = [], []
        for tool in tools:
            schema, name = tool.get("inputSchema"), str(tool.get("name"))
            if (reason := find_invalid_x_mcp_header(schema)) is not None:
                self._headers.pop(name, None)
                problems.append(f"the tool {name[:100]!r} was left out: {reason}")
            else:
                self._headers[name] = x_mcp_header_map(schema)
                kept.append(tool)
        return {**listed, "tools": kept}, problems


def _dumped(model: Implementation | ClientCapabilities) -> dict[str, Any]:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)
