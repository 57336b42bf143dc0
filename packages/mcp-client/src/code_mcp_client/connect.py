"""Connects to a server and opens a session."""

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
    RootsCapability,
    SamplingCapability,
    UrlElicitationCapability,
)

from code_mcp_client.dispatcher import StdioDispatcher
from code_mcp_client.launch import ServerCommand
from code_mcp_client.negotiation import CLIENT_INFO
from code_mcp_client.notifications import ListenedDispatcher
from code_mcp_client.server_process import running_server
from code_mcp_client.stream_server import streamed_server

Connect = Callable[[], AbstractAsyncContextManager[Dispatcher[TransportContext]]]
"""Creates a connection: a context manager whose value is a dispatcher."""


@dataclass(frozen=True, slots=True)
class ClientCallbacks:
    """Callbacks that answer the server's own requests, with the SDK's signatures; if None, requests are refused.

    Having `elicitation`, `sampling` or `list_roots` also declares the capability to the server; `opens_urls` declares
    that `elicitation` can send the user to a page.
    """

    elicitation: ElicitationFnT | None = None
    sampling: SamplingFnT | None = None
    list_roots: ListRootsFnT | None = None
    logging: LoggingFnT | None = None
    opens_urls: bool = False

    def capabilities(self) -> ClientCapabilities:
        """The capabilities to declare."""
        url = UrlElicitationCapability() if self.opens_urls else None
        asking = ElicitationCapability(form=FormElicitationCapability(), url=url)
        return ClientCapabilities(
            elicitation=asking if self.elicitation else None,
            sampling=SamplingCapability() if self.sampling else None,
            roots=RootsCapability(list_changed=True) if self.list_roots else None,
        )


@dataclass(frozen=True, slots=True)
class Connection:
    """An open session and its dispatcher."""

    session: ClientSession
    dispatcher: ListenedDispatcher


@asynccontextmanager
async def stdio_connection(
    command: ServerCommand, capacity: int, max_message_bytes: int
) -> AsyncIterator[Dispatcher[TransportContext]]:
    """Start a server and connect to it over pipes.

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
    """Open the SDK's session over a connection."""
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
