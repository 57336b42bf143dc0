"""Signs in to HTTP servers with OAuth and stores the tokens.

The SDK handles the protocol: metadata, registration, PKCE, refreshing. This module provides the rest:
the browser, the redirect to a loopback port, and a file that only its owner can read.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
)
from pydantic import AnyUrl, BaseModel, ValidationError

from code_mcp_client.client import McpClient
from code_mcp_client.errors import McpClientError

CLIENT_NAME = "Code for Python"
SECONDS_TO_SIGN_IN = 300.0
_PATIENCE = httpx2.Timeout(15.0)
"""Time limit for each request to an authorization server."""
_SECONDS_TO_SAVE = 0.5
"""Time for another process that has refreshed the token to write it to the file."""
_LONG_AGO = 1.0
"""Expiry time of a token that the server refuses, regardless of its declared lifetime."""
_PATH = "/callback"
_PAGE = b"<!doctype html><title>Code</title><p>You are signed in. You can close this page."
_REFUSED_PAGE = b"<!doctype html><title>Code</title><p>Signing in did not work. The terminal says why."

Auth = httpx2.Auth
"""Authorises requests to a server."""
Visit = Callable[[str], Awaitable[None]]
"""Shows the user a page for signing in."""


class SignInFailed(McpClientError):  # noqa: N818 - a state, like the rest of the tree
    """Nobody signed in, or the authorization server refused."""


class SignInNeeded(httpx2.RequestError):
    """The saved tokens are no longer sufficient; the transport reports this kind of error as a lost connection."""


class _Saved(BaseModel):
    """The contents of the file.

    Attributes:
        url: the server's URL; the tokens are valid only for it.
        expires_at: when the access token expires, in seconds since the epoch.
        metadata: the authorization server's metadata, for refreshing the token.
    """

    url: str
    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None
    expires_at: float | None = None
    metadata: dict[str, Any] | None = None


class TokenFile:
    """The tokens for one server, in a file with mode 0600. Its `repr` contains no secrets.

    Args:
        path: the file; its directory is created when needed.
        url: the server's URL.
    """

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._url = url

    @property
    def has_tokens(self) -> bool:
        """Whether the user has signed in to this server."""
        return self.read().tokens is not None

    def read(self) -> _Saved:
        """Return what is saved for this server; empty if the file is for another URL or cannot be read."""
        try:
            saved = _Saved.model_validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            saved = _Saved(url=self._url)
        return saved if saved.url == self._url else _Saved(url=self._url)

    def version(self) -> object:
        """A value that differs after each change of the file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size

    def remove(self) -> bool:
        """Delete the tokens, and return whether there were any."""
        existed = self._path.exists()
        self._path.unlink(missing_ok=True)
        return existed

    async def get_tokens(self) -> OAuthToken | None:
        """See the SDK's `TokenStorage`."""
        return self.read().tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """See the SDK's `TokenStorage`."""
        expires_at = None if tokens.expires_in is None else time.time() + float(tokens.expires_in)
        self._write(self.read().model_copy(update={"tokens": tokens, "expires_at": expires_at}))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """See the SDK's `TokenStorage`."""
        return self.read().client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """See the SDK's `TokenStorage`."""
        self._write(self.read().model_copy(update={"client": client_info}))

    def keep(self, metadata: OAuthMetadata | None) -> None:
        """Save the authorization server's metadata."""
        if metadata is not None:
            dumped = json.loads(metadata.model_dump_json(exclude_none=True))
            self._write(self.read().model_copy(update={"metadata": dumped}))

    def _write(self, saved: _Saved) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._path.with_name(f".{self._path.name}.{token_hex(4)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(saved.model_dump_json(exclude_none=True).encode())
            new.replace(self._path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def saved_sign_in(url: str, file: TokenFile, hint: str) -> Auth:
    """Return auth that sends and refreshes the saved token; if that is not enough, requests fail.

    Args:
        url: the server's URL.
        file: the saved tokens.
        hint: what the user should do if signing in again is needed.
    """

    async def refuse(page: str = "") -> AuthorizationCodeResult:
        del page
        raise SignInNeeded(f"it asks to sign in again: {hint}")

    async def visit(page: str) -> None:
        await refuse(page)

    return _provider(url, file, "http://127.0.0.1/callback", visit, refuse)


async def sign_in(url: str, file: TokenFile, visit: Visit) -> bool:
    """Sign in to a server and save the tokens; False if it does not require signing in.

    Args:
        url: the server's URL.
        file: where to save the tokens, replacing existing ones.
        visit: shows the user the page for signing in.

    Raises:
        SignInFailed: nobody signed in within 5 minutes, or the authorization server refused.
        McpClientError: the server does not answer like an MCP server.
    """
    file.remove()
    state: str | None = None

    async def show(page: str) -> None:
        nonlocal state
        state = parse_qs(urlsplit(page).query).get("state", [""])[0]
        await visit(page)

    returned: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    listener = await asyncio.start_server(partial(_answer, returned), "127.0.0.1", 0)

    async def come_back() -> AuthorizationCodeResult:
        while (query := await returned.get()).get("state") != state:
            pass  # a request from another program
        if "code" not in query:
            reason = query.get("error_description") or query.get("error") or "no reason given"
            raise OAuthFlowError(reason[:200])
        return AuthorizationCodeResult(code=query["code"], state=query.get("state"), iss=query.get("iss"))

    async with listener:
        port = listener.sockets[0].getsockname()[1]
        auth = _provider(url, file, f"http://127.0.0.1:{port}{_PATH}", show, come_back)
        try:
            with anyio.fail_after(SECONDS_TO_SIGN_IN):
                async with McpClient.http(url, auth=auth) as client:
                    await client.initialize()
        except TimeoutError:
            raise SignInFailed(f"nobody signed in within {SECONDS_TO_SIGN_IN:g} s") from None
        except OAuthFlowError as error:
            raise SignInFailed(f"the authorization server refused: {error}") from error
        except McpClientError as error:
            if state is not None and not file.has_tokens:
                raise SignInFailed(f"signing in did not work: {error}") from error
            raise
    file.keep(auth.context.oauth_metadata)
    return file.has_tokens


class _Provider(OAuthClientProvider):
    """The SDK's provider, with a file that other processes also write.

    The SDK's provider holds a lock while a request is pending, and asks to sign in again whenever a token is
    refused. Here, requests with a token run concurrently, and a refused token is refreshed first. Failures fail
    the request without ending the connection.
    """

    def __init__(self, url: str, file: TokenFile, *arguments: Any) -> None:
        super().__init__(url, arguments[0], file, *arguments[1:])
        self._file = file
        self._version: object = None
        self._refused: str | None = None

    async def async_auth_flow(self, request: httpx2.Request) -> Any:
        """See `httpx2.Auth`."""
        self._take_saved()
        sent = self._access_token()
        if self.context.is_token_valid():
            self._add_auth_header(request)
            response = yield request
            if response.status_code not in {401, 403}:
                return
            self._take_saved()
            if response.status_code == 401:
                self._refused = sent
                if self._access_token() == sent:
                    self.context.token_expiry_time = _LONG_AGO
        flow = super().async_auth_flow(request)
        try:
            outgoing = await anext(flow)
            while True:
                if outgoing is request and self._access_token() not in {None, sent, self._refused}:
                    break  # refreshed; the request itself need not hold the SDK's lock
                if outgoing is not request:  # a request to an authorization server, which may be down
                    outgoing.extensions["timeout"] = _PATIENCE.as_dict()
                response = yield outgoing
                outgoing = await flow.asend(response)
        except StopAsyncIteration:
            return
        except (OAuthFlowError, SignInNeeded) as error:
            if not await self._was_refreshed_elsewhere(request):
                if isinstance(error, SignInNeeded):
                    raise
                raise SignInNeeded(f"signing in failed: {error}") from error
        finally:
            await flow.aclose()
        self._add_auth_header(request)
        yield request

    async def _was_refreshed_elsewhere(self, refused: httpx2.Request) -> bool:
        """Whether another process has used the refresh token and saved the result."""
        for delay in (0, _SECONDS_TO_SAVE):
            await anyio.sleep(delay)
            token = self._access_token() if self._take_saved() else None
            if token is not None and refused.headers.get("authorization") != f"Bearer {token}":
                return True
        return False

    def _access_token(self) -> str | None:
        tokens = self.context.current_tokens
        return None if tokens is None else tokens.access_token

    def _take_saved(self) -> bool:
        """Reload the file if it has changed, because another process may have signed in or refreshed the token."""
        version = self._file.version()
        if version == self._version:
            return False
        self._version = version
        saved = self._file.read()
        self.context.current_tokens, self.context.client_info = saved.tokens, saved.client
        self.context.token_expiry_time = saved.expires_at
        self._initialized = True
        if saved.metadata is not None:
            with suppress(ValidationError):
                self.context.oauth_metadata = OAuthMetadata.model_validate(saved.metadata)
        return True


def _provider(
    url: str,
    file: TokenFile,
    redirect: str,
    visit: Visit,
    come_back: Callable[[], Awaitable[AuthorizationCodeResult]],
) -> _Provider:
    about = OAuthClientMetadata(
        client_name=CLIENT_NAME,
        redirect_uris=[AnyUrl(redirect)],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
    )
    return _Provider(url, file, about, visit, come_back)


async def _answer(
    returned: "asyncio.Queue[dict[str, str]]", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Read the browser's request and its query parameters."""
    try:
        with anyio.move_on_after(10):
            line = (await reader.readline()).decode("ascii", "replace").split()
            while (await reader.readline()).strip():
                pass
            target = urlsplit(line[1]) if len(line) == 3 and line[0] == "GET" else urlsplit("")
            if target.path != _PATH:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                return
            query = {name: values[0] for name, values in parse_qs(target.query).items()}
            page = _PAGE if "code" in query else _REFUSED_PAGE
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + page)
            returned.put_nowait(query)
    except (OSError, ValueError):  # the browser disconnected, or did not send HTTP
        return
    finally:
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()
