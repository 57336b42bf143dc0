"""An MCP server over HTTP that requires a token, and its authorization server, in one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from support.http_listener import HttpListener


@dataclass
class OAuthServer:
    """Its behaviour and what it has seen.

    Attributes:
        refuse: whether the user refuses.
        expires_in: seconds for which an access token is valid.
        access: the access token that is valid now.
        refresh: the refresh token that is valid now.
        revoked: whether all refresh tokens are invalid.
        gathering: tools answer once this many calls are pending.
        grants: the kinds of token requests received.
    """

    base: str = ""
    refuse: bool = False
    expires_in: int = 3600
    access: str = ""
    refresh: str = ""
    revoked: bool = False
    gathering: threading.Barrier | None = None
    grants: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.base}/mcp"

    def get(self, path: str, query: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if path.startswith("/.well-known/oauth-protected-resource"):
            return 200, {}, {"resource": self.url, "authorization_servers": [self.base]}
        if path.startswith("/.well-known/oauth-authorization-server"):
            return (
                200,
                {},
                {
                    "issuer": self.base,
                    "authorization_endpoint": f"{self.base}/authorize",
                    "token_endpoint": f"{self.base}/oauth/token",
                    "registration_endpoint": f"{self.base}/register",
                    "response_types_supported": ["code"],
                    "code_challenge_methods_supported": ["S256"],
                    "token_endpoint_auth_methods_supported": ["none"],
                },
            )
        if path == "/authorize":
            answer = {"error": "access_denied"} if self.refuse else {"code": "the-code"}
            target = f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"
            return 302, {"Location": target}, None
        return 404, {}, None

    def post(self, path: str, body: bytes, authorization: str) -> tuple[int, dict[str, str], Any]:
        if path == "/register":
            return 201, {}, {**json.loads(body), "client_id": "us", "token_endpoint_auth_method": "none"}
        if path == "/oauth/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self.grants.append(form["grant_type"])
            refreshing = form["grant_type"] == "refresh_token"
            if refreshing and (self.revoked or form["refresh_token"] != self.refresh):
                return 400, {}, {"error": "invalid_grant"}
            self.access = f"hush-access-{len(self.grants)}"
            self.refresh = f"hush-refresh-{len(self.grants)}"
            return (
                200,
                {},
                {
                    "access_token": self.access,
                    "token_type": "Bearer",
                    "expires_in": self.expires_in,
                    "refresh_token": self.refresh,
                },
            )
        if authorization != f"Bearer {self.access}" or not self.access:
            where = f"{self.base}/.well-known/oauth-protected-resource/mcp"
            return 401, {"WWW-Authenticate": f'Bearer resource_metadata="{where}"'}, None
        return self.answer(json.loads(body))

    def answer(self, message: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if "id" not in message:
            return 202, {}, None
        head = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "initialize":
            info = {"name": "guarded", "version": "1"}
            result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": info}
        elif message["method"] == "tools/call":
            if self.gathering is not None:
                self.gathering.wait(20)
            result = {"content": []}
        elif message["method"] == "tools/list":
            result = {"tools": []}
        else:
            return 200, {}, {**head, "error": {"code": -32601, "message": "no such method"}}
        return 200, {}, {**head, "result": result}


@contextmanager
def oauth_server() -> Iterator[OAuthServer]:
    """The server, on a port of loopback."""
    state = OAuthServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self.reply(*state.get(parts.path, query))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            self.reply(*state.post(self.path, body, self.headers.get("authorization", "")))

        def do_DELETE(self) -> None:
            self.reply(200, {}, None)

        def reply(self, status: int, headers: dict[str, str], body: Any) -> None:
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            if body is not None:
                self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    with HttpListener(("127.0.0.1", 0), Handler) as http:
        state.base = f"http://127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield state
        finally:
            http.shutdown()
            thread.join()
