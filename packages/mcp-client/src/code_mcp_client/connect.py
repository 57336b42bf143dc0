"""From a description of a server to a session with it."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from mcp.client.session import (
    ClientSession,
    ElicitationFnT,
    ListRootsFnT,
    LoggingFnT,
    SamplingFnT,
)
from mcp.shared.dispatcher import Dispatcher
from mcp.shared.transport_context import TransportContext
from mcp_types import (
    ClientCapabilities,
    ElicitationCapability,
    FormElicitationCapability,
    Implementation,
    InitializedNotification,
    InitializeRequest,
    InitializeRequestParams,
    InitializeResult,
    RootsCapability,
    SamplingCapability,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from code_mcp_client.dispatcher import StdioDispatcher
from code_mcp_client.errors import InvalidResult
from code_mcp_client.launch import ServerCommand
from code_mcp_client.notifications import ListenedDispatcher
from code_mcp_client.server_process import running_server
from code_mcp_client.stream_server import streamed_server

CLIENT_INFO = Implementation(name="code-mcp-client", version="0.1.0")

Connect = Callable[[], AbstractAsyncContextManager[Dispatcher[TransportContext]]]
"""Makes a connection: entered it is a dispatcher, left it is gone."""


@dataclass(frozen=True, slots=True)
class ClientCallbacks:
    """What answers the server's own requests, in the SDK's signatures; what is None is refused.

    Having `elicitation`, `sampling` or `list_roots` also tells the server that it may ask.
    """

    elicitation: ElicitationFnT | None = None
    sampling: SamplingFnT | None = None
    list_roots: ListRootsFnT | None = None
    logging: LoggingFnT | None = None

    def capabilities(self) -> ClientCapabilities:
        """What the client declares that the server may ask for."""
        form = ElicitationCapability(form=FormElicitationCapability())
        return ClientCapabilities(
            elicitation=form if self.elicitation else None,
            sampling=SamplingCapability() if self.sampling else None,
            roots=RootsCapability(list_changed=True) if self.list_roots else None,
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """A session in use, and the dispatcher below it."""

    session: ClientSession
    dispatcher: ListenedDispatcher


@asynccontextmanager
async def stdio_connection(
    command: ServerCommand, capacity: int, max_message_bytes: int
) -> AsyncIterator[Dispatcher[TransportContext]]:
    """A server of our own over its pipes.

    Raises:
        ServerStartError: see `launch`.
    """
    start = streamed_server if sys.platform == "win32" else running_server
    async with start(command, capacity) as server:
        yield StdioDispatcher(server, max_message_bytes)


@asynccontextmanager
async def open_session(
    connect: Connect, callbacks: ClientCallbacks, request_timeout: float | None
) -> AsyncIterator[Connection]:
    """The SDK's session over a connection."""
    async with connect() as inner:
        dispatcher = ListenedDispatcher(inner)
        async with ClientSession(
            dispatcher=dispatcher,
            client_info=CLIENT_INFO,
            read_timeout_seconds=request_timeout,
            elicitation_callback=callbacks.elicitation,
            sampling_callback=callbacks.sampling,
            list_roots_callback=callbacks.list_roots,
            logging_callback=callbacks.logging,
        ) as session:
            yield Connection(session, dispatcher)


async def shake_hands(
    session: ClientSession, version: str, callbacks: ClientCallbacks, seconds: float
) -> InitializeResult:
    """Agree with the server on a protocol version, `version` or the one it knows, and on capabilities.

    Raises:
        InvalidResult: the server wants a version that the SDK does not know.
    """
    params = InitializeRequestParams(
        protocol_version=version, capabilities=callbacks.capabilities(), client_info=CLIENT_INFO
    )
    result = await session.send_request(InitializeRequest(params=params), InitializeResult, seconds)
    if result.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        raise InvalidResult(
            f"initialize: the MCP server wants protocol version {result.protocol_version!r}; "
            f"known are {', '.join(HANDSHAKE_PROTOCOL_VERSIONS)}"
        )
    session.adopt(result)
    await session.send_notification(InitializedNotification())
    return result
