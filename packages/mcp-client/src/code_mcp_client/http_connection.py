"""A connection to a server over streamable HTTP."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import httpx2
from mcp.shared.dispatcher import Dispatcher
from mcp.shared.transport_context import TransportContext

from code_mcp_client.errors import InvalidSetting
from code_mcp_client.http_client import IsolatingClient
from code_mcp_client.http_dispatcher import HttpDispatcher
from code_mcp_client.http_responses import Responses

_CONNECT_SECONDS = 30.0
_LIMITS = httpx2.Limits(
    max_connections=None,  # calls waiting for the user hold connections, and the answer needs another
    max_keepalive_connections=20,
    keepalive_expiry=2.0,  # many servers close idle connections after 5 s; avoids using one at that moment
)


def request_headers(
    headers: Mapping[str, str] | None,
    bearer_token_env_var: str | None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the headers for every request, including the bearer token from the environment.

    Raises:
        InvalidSetting: the variable is not set, or empty.
    """
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    if bearer_token_env_var is not None:
        token = environ.get(bearer_token_env_var, "").strip()
        if not token:
            raise InvalidSetting(
                f"bearer_token_env_var names {bearer_token_env_var}, which is not set: set it to the server's token"
            )
        sent["Authorization"] = f"Bearer {token}"
    return sent


@asynccontextmanager
async def http_connection(
    url: str, headers: Mapping[str, str], auth: httpx2.Auth | None, max_message_bytes: int
) -> AsyncIterator[Dispatcher[TransportContext]]:
    """Provide a dispatcher for `url`; the server's session ends with the context."""
    responses = Responses(max_message_bytes)
    async with anyio.create_task_group() as tasks:
        client = IsolatingClient(
            responses,
            tasks,
            headers=dict(headers),
            auth=auth,
            timeout=httpx2.Timeout(_CONNECT_SECONDS, read=None),  # each request has its own limit
            limits=_LIMITS,
        )
        async with client:
            dispatcher = HttpDispatcher(url, client, responses, max_message_bytes)
            try:
                yield dispatcher
            finally:
                with anyio.CancelScope(shield=True):
                    await dispatcher.end_session()
                tasks.cancel_scope.cancel()
