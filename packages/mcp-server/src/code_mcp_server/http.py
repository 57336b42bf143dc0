"""Serves the tools over streamable HTTP, on this machine only and to clients with the token.

A web page may send requests to a local port. It cannot know the token, and `Host` and `Origin` are
also checked, because its own domain name may resolve to this machine (DNS rebinding).
"""

import hmac
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import uvicorn

from code_core.errors import ConfigError
from code_mcp_server.engine import open_engine
from code_mcp_server.http_connections import ACCEPTED_AT_ONCE, Connection
from code_mcp_server.loading import Loading
from code_mcp_server.run import Overrides, stopped_by_signals
from code_mcp_server.sdk import sdk_server

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from code_mcp_server.dialogue import Tools

TOKEN_VARIABLE = "CODE_MCP_TOKEN"  # noqa: S105 - the name of the variable
SHORTEST_TOKEN = 16
HOST = "127.0.0.1"
PATH = "/mcp"
LONGEST_BODY = 64 * 2**20


async def run_http_server(overrides: Overrides, port: int, environ: Mapping[str, str]) -> int:
    """Serve on a port of the loopback interface until a signal arrives; return the exit code.

    Args:
        overrides: returns the default settings of conversations.
        port: 0 for any free port.
        environ: provides the token in `CODE_MCP_TOKEN`; otherwise one is generated and shown on a terminal.

    Raises:
        ConfigError: the settings are invalid, the token is missing, or the port is in use.
    """
    token = _token(environ)
    with _listening(port) as listener:
        async with stopped_by_signals() as stopped, open_engine(overrides) as tools:
            ready: Loading[Tools] = Loading()
            ready.set(tools)
            app = guarded(http_app(sdk_server(ready)), token)
            sys.stderr.write(f"MCP server at http://{HOST}:{listener.getsockname()[1]}{PATH}\n")
            if not environ.get(TOKEN_VARIABLE):
                sys.stderr.write(f"send the header Authorization: Bearer {token}\n")
            sys.stderr.flush()
            await serve(app, listener)
    return stopped.code


def http_app(server: "Server[Any]") -> Any:
    """Return an ASGI app that serves both eras of MCP at `/mcp` and checks `Host` and `Origin`."""
    return server.streamable_http_app(
        streamable_http_path=PATH, host=HOST, max_request_body_size=LONGEST_BODY
    )


def guarded(app: Any, token: str) -> Any:
    """Return `app` for requests with the token; others get status 401, and their bodies are not read."""
    expected = f"Bearer {token}".encode()

    async def checked(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            if len(given) != 1 or not hmac.compare_digest(given[0], expected):
                headers = [
                    (b"www-authenticate", b"Bearer"),
                    (b"content-length", b"0"),
                    (b"connection", b"close"),
                ]
                await send({"type": "http.response.start", "status": 401, "headers": headers})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return checked


async def serve(app: Any, listener: socket.socket) -> None:
    """Serve `app` until cancelled."""
    config = uvicorn.Config(
        app,
        http=Connection,
        backlog=ACCEPTED_AT_ONCE,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    server = _Server(config)

    async def run() -> None:
        with anyio.CancelScope(shield=True):  # it stops within a second
            await server.serve(sockets=[listener])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        try:
            await anyio.sleep_forever()
        finally:
            server.should_exit = True


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to us."""
        yield


def _token(environ: Mapping[str, str]) -> str:
    token = environ.get(TOKEN_VARIABLE, "").strip()
    if not token:
        if sys.stderr.isatty():
            return secrets.token_urlsafe(24)
        raise ConfigError(f"set {TOKEN_VARIABLE} to a token that clients have to send")
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"{TOKEN_VARIABLE} must have at least {SHORTEST_TOKEN} ASCII characters and no spaces"
        )
    return token


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    try:
        listener = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise ConfigError(f"cannot listen on port {port} of {HOST}: {error}") from error
    with listener:
        yield listener
