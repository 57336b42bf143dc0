"""Determines a server's era and version, once, within its start-up time limit.

A server of 2026-07-28 answers `server/discover`; an older one answers with an error, not at all, or by exiting.
A silent server may just be slow to start, so `initialize` is sent as well, and the first useful answer
decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.client.session import ClientSession
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types import (
    SERVER_INFO_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
    ClientCapabilities,
    DiscoverResult,
    Implementation,
    InitializedNotification,
    InitializeRequest,
    InitializeRequestParams,
    InitializeResult,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from code_mcp_client.era import ModernEra
from code_mcp_client.errors import ConnectionLost, InvalidResult, RequestTimedOut
from code_mcp_client.notifications import ListenedDispatcher

CLIENT_INFO = Implementation(name="code-mcp-client", version="0.1.0")
SILENCE_SECONDS = 1.0
"""Silence after the probe after which the handshake is sent as well."""


class EndedByProbe(ConnectionLost):
    """The server exited on a request that older servers do not know, and must be started again."""


@dataclass(frozen=True, slots=True)
class Negotiation:
    """Negotiates a version and capabilities with one server.

    Args:
        session: the session with the server.
        dispatcher: the session's dispatcher.
        capabilities: the client's capabilities.
        seconds: the total time limit.
        hedged: whether to send a silent server the handshake in addition to the probe; not useful over HTTP.
    """

    session: ClientSession
    dispatcher: ListenedDispatcher
    capabilities: ClientCapabilities
    seconds: float
    hedged: bool

    async def run(self, version: str) -> InitializeResult:
        """Return the server's information, in the form of the handshake in both eras.

        Args:
            version: a handshake version to offer, a modern one to require, or `auto`.

        Raises:
            EndedByProbe: the server exited when probed for its era.
            InvalidResult: the server and this client have no version in common.
            RequestTimedOut: the server did not answer in time.
        """
        try:
            with anyio.fail_after(self.seconds):
                if version in MODERN_PROTOCOL_VERSIONS:
                    found = await self._discover(version)
                    if found is None:
                        raise InvalidResult(f"the MCP server does not speak protocol version {version}")
                    return self._adopt(found)
                if version != "auto":
                    return await self._shake_hands(version)
                return await self._auto()
        except TimeoutError:
            raise RequestTimedOut(f"the MCP server did not answer within {self.seconds:g} s") from None

    async def _auto(self) -> InitializeResult:
        found: DiscoverResult | None = None
        initialized: InitializeResult | None = None
        refusal: Exception | None = None
        probed = anyio.Event()

        async def probe() -> None:
            nonlocal found
            try:
                found = await self._discover(MODERN_PROTOCOL_VERSIONS[-1])
            except ConnectionLost as lost:
                if self.hedged and not initialized:
                    raise EndedByProbe(str(lost)) from lost
                raise
            finally:
                probed.set()
            if found is not None:
                tasks.cancel_scope.cancel()

        async def shake_hands() -> None:
            nonlocal initialized, refusal
            with anyio.move_on_after(SILENCE_SECONDS if self.hedged else self.seconds):
                await probed.wait()
            try:
                initialized = await self._shake_hands(HANDSHAKE_PROTOCOL_VERSIONS[-1])
            except MCPError as error:
                refusal = error
                if not probed.is_set():
                    return  # it may be modern and about to answer the probe
            tasks.cancel_scope.cancel()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(probe)
                tasks.start_soon(shake_hands)
        except ExceptionGroup as errors:
            raise _first(errors) from None
        if initialized is not None:
            return initialized
        if found is not None:
            return self._adopt(found)
        assert refusal is not None  # noqa: S101 - the handshake has succeeded or failed
        if isinstance(refusal, MCPError) and refusal.code == UNSUPPORTED_PROTOCOL_VERSION:
            found = await self._discover(MODERN_PROTOCOL_VERSIONS[-1])
            if found is not None:
                return self._adopt(found)
        raise refusal

    async def _discover(self, version: str, *, again: bool = True) -> DiscoverResult | None:
        """The information of a modern server, or None for one of the other era.

        Raises:
            InvalidResult: it is modern, but has no version in common with this client.
            ConnectionLost: it exited.
        """
        era = ModernEra(version, CLIENT_INFO, self.capabilities)
        try:
            raw = await self.dispatcher.send_raw_request(
                "server/discover", *era.stamp("server/discover", None, None)
            )
        except MCPError as error:
            if error.code != UNSUPPORTED_PROTOCOL_VERSION:
                return None
            supported = _versions(error.data)
            mutual = [one for one in MODERN_PROTOCOL_VERSIONS if one in supported]
            if mutual and again:
                return await self._discover(mutual[-1], again=False)
            if any(one in supported for one in HANDSHAKE_PROTOCOL_VERSIONS):
                return None
            raise InvalidResult(
                f"the MCP server speaks only {', '.join(supported) or 'other versions'}; "
                f"known are {', '.join((*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS))}"
            ) from None
        if isinstance(ttl := raw.get("ttlMs"), int | float) and ttl < 0:
            raw["ttlMs"] = 0
        try:
            result = DiscoverResult.model_validate(raw, by_name=False)
        except ValidationError:
            return None
        return result if any(one in result.supported_versions for one in MODERN_PROTOCOL_VERSIONS) else None

    def _adopt(self, found: DiscoverResult) -> InitializeResult:
        version = [one for one in MODERN_PROTOCOL_VERSIONS if one in found.supported_versions][-1]
        self.session.adopt(found)
        self.dispatcher.era = ModernEra(version, CLIENT_INFO, self.capabilities)
        try:
            server = Implementation.model_validate((found.meta or {}).get(SERVER_INFO_META_KEY))
        except ValidationError:
            server = Implementation(name="unknown", version="")
        return InitializeResult(
            protocol_version=version,
            capabilities=found.capabilities,
            server_info=server,
            instructions=found.instructions,
        )

    async def _shake_hands(self, version: str) -> InitializeResult:
        params = InitializeRequestParams(
            protocol_version=version, capabilities=self.capabilities, client_info=CLIENT_INFO
        )
        request = InitializeRequest(params=params).model_dump(by_alias=True, mode="json", exclude_none=True)
        options: CallOptions = {"cancel_on_abandon": False}
        raw = await self.dispatcher.send_raw_request("initialize", request["params"], options)
        result = InitializeResult.model_validate(raw, by_name=False)
        if result.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
            raise InvalidResult(
                f"initialize: the MCP server wants protocol version {result.protocol_version!r}; "
                f"known are {', '.join(HANDSHAKE_PROTOCOL_VERSIONS)}"
            )
        self.session.adopt(result)
        await self.session.send_notification(InitializedNotification())
        return result


def _versions(data: Any) -> list[str]:
    supported = data.get("supported") if isinstance(data, Mapping) else None
    return [one[:40] for one in supported if isinstance(one, str)] if isinstance(supported, list) else []


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    error: Exception = errors
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
