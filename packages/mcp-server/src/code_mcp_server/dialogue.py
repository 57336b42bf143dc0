"""MCP's own requests in both eras: versions, capabilities, discovery. The tools are behind it.

Nothing here needs the engine, so that the handshake is answered while the engine loads.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from code_core.version import VERSION
from code_mcp_server.eras import (
    LOG_LEVELS,
    MODERN_VERSIONS,
    SERVER_INFO_KEY,
    TASKS,
    ClientAbilities,
    Envelope,
    LogLevel,
    abilities_of,
    envelope_of,
    has_envelope,
    negotiated,
    unsupported,
)
from code_mcp_server.jsonrpc import Code, Notification, Request, RequestId, RpcError
from code_mcp_server.peer import Peer

SERVER_INFO = {"name": "code", "title": "Code for Python", "version": VERSION}
INSTRUCTIONS = "Gives tasks to a coding agent that reads and changes files and runs commands."
CAPABILITIES: dict[str, Any] = {"tools": {"listChanged": False}, "logging": {}}
LIST_SECONDS = 60
"""How long a client may cache the list of tools, which does not change while the server runs."""

TaskMethod = Literal["tasks/get", "tasks/update", "tasks/cancel"]
_TASK_METHODS: frozenset[str] = frozenset(get_args(TaskMethod))


@dataclass(frozen=True, slots=True)
class Caller:
    """The client that made a request, and how to reach it while the request runs.

    Attributes:
        request_id: the request's id.
        abilities: the client's abilities.
        modern: whether questions are part of results (2026-07-28) instead of requests of ours.
        peer: sends notifications, and questions in the handshake era.
        progress_token: the token for progress notifications.
        log_level: the least severe messages that the client wants; None for none.
    """

    request_id: RequestId
    abilities: ClientAbilities
    modern: bool
    peer: "BackChannel"
    progress_token: RequestId | None = None
    log_level: LogLevel | None = None


class BackChannel(Protocol):
    """Sends messages to a client while its request runs."""

    async def notify(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification."""

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result of a request to the client, or None if it answers with an error."""


class Tools(Protocol):
    """The tools of a server."""

    async def list_tools(self, caller: Caller) -> dict[str, Any]:
        """Return the result of `tools/list`."""

    async def call_tool(self, caller: Caller, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of `tools/call`.

        Raises:
            RpcError: the parameters are not a call.
        """

    async def task(self, caller: Caller, method: TaskMethod, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of a request about a task.

        Raises:
            RpcError: the task does not exist.
        """

    async def notice(self, notification: Notification) -> None:
        """Process a notification that is not part of MCP."""


@dataclass(slots=True)
class Dialogue:
    """Answers the requests of one client on one connection. The first one determines its era.

    Args:
        peer: the client.
        tools: provides the tools once they are loaded.
    """

    peer: Peer
    tools: Awaitable[Tools]
    era: Literal["undecided", "handshake", "modern"] = "undecided"
    version: str = ""
    abilities: ClientAbilities = field(default_factory=ClientAbilities)
    log_level: LogLevel | None = None
    _envelopes: dict[RequestId, Envelope] = field(default_factory=dict)

    def accept(self, request: Request) -> None:
        """See `Handler.accept`."""
        if request.method == "initialize":
            self._initialize(request.params or {})
        elif has_envelope(request.params) or (
            self.era != "handshake" and request.method == "server/discover"
        ):
            self._enveloped(request)
        elif self.era == "modern":
            raise RpcError(Code.INVALID_PARAMS, f"{request.method[:100]}: the envelope in _meta is missing")
        elif self.era == "undecided" and request.method != "ping":
            raise RpcError(Code.INVALID_REQUEST, f"{request.method[:100]} came before initialize")

    def is_brief(self, request: Request) -> bool:
        """See `Handler.is_brief`."""
        return request.method != "tools/call"

    async def answer(self, request: Request) -> Mapping[str, Any]:
        """See `Handler.answer`."""
        envelope = self._envelopes.pop(request.id, None)
        params = request.params or {}
        if envelope is None:
            caller = Caller(
                request.id, self.abilities, False, self.peer, _progress_token(params), self.log_level
            )
            return await self._handshake_result(caller, request.method, params)
        caller = Caller(
            request.id, envelope.abilities, True, self.peer, _progress_token(params), envelope.log_level
        )
        result = await self._modern_result(caller, request.method, params)
        meta = {**result.get("_meta", {}), SERVER_INFO_KEY: SERVER_INFO}
        return {"resultType": "complete", **result, "_meta": meta}

    async def notice(self, notification: Notification) -> None:
        """See `Handler.notice`."""
        if not notification.method.startswith("notifications/") and self.era != "undecided":
            await (await self.tools).notice(notification)

    def _initialize(self, params: Mapping[str, Any]) -> None:
        if self.era == "modern":
            raise unsupported(str(params.get("protocolVersion")))
        version, capabilities = params.get("protocolVersion"), params.get("capabilities", {})
        if not isinstance(version, str):
            raise RpcError(Code.INVALID_PARAMS, "initialize: protocolVersion must be a string")
        if not isinstance(capabilities, dict):
            raise RpcError(Code.INVALID_PARAMS, "initialize: capabilities must be an object")
        self.era, self.version, self.abilities = "handshake", negotiated(version), abilities_of(capabilities)

    def _enveloped(self, request: Request) -> None:
        if self.era == "handshake":
            raise RpcError(
                Code.INVALID_REQUEST, f"this connection was initialized with protocol version {self.version}"
            )
        self._envelopes[request.id] = envelope_of(request.params)
        self.era = "modern"

    async def _handshake_result(
        self, caller: Caller, method: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        match method:
            case "initialize":
                return {
                    "protocolVersion": self.version,
                    "capabilities": CAPABILITIES,
                    "serverInfo": SERVER_INFO,
                    "instructions": INSTRUCTIONS,
                }
            case "ping":
                return {}
            case "logging/setLevel":
                level = params.get("level")
                if level not in LOG_LEVELS:
                    raise RpcError(Code.INVALID_PARAMS, f"level must be one of {', '.join(LOG_LEVELS)}")
                self.log_level = level
                return {}
            case "tools/list":
                return await (await self.tools).list_tools(caller)
            case "tools/call":
                return await (await self.tools).call_tool(caller, params)
            case _:
                raise RpcError(Code.METHOD_NOT_FOUND, f"method not found: {method[:100]}")

    async def _modern_result(self, caller: Caller, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        match method:
            case "server/discover":
                return discovered()
            case "tools/list":
                listed = await (await self.tools).list_tools(caller)
                return {**listed, "ttlMs": LIST_SECONDS * 1000, "cacheScope": "private"}
            case "tools/call":
                return await (await self.tools).call_tool(caller, params)
            case "tasks/get" | "tasks/update" | "tasks/cancel":
                return await (await self.tools).task(caller, method, params)
            case _:
                raise RpcError(Code.METHOD_NOT_FOUND, f"method not found: {method[:100]}")


def discovered() -> dict[str, Any]:
    """Return the result of `server/discover`, without the fields common to all modern results."""
    return {
        "supportedVersions": [*MODERN_VERSIONS],
        "capabilities": {**CAPABILITIES, "extensions": {TASKS: {}}},
        "instructions": INSTRUCTIONS,
        "ttlMs": LIST_SECONDS * 1000,
        "cacheScope": "private",
    }


def _progress_token(params: Mapping[str, Any]) -> RequestId | None:
    match params:
        case {"_meta": {"progressToken": (int() | str()) as token}} if not isinstance(token, bool):
            return token
        case _:
            return None
