"""An MCP server over streamable HTTP that fails on demand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.http_listener import HttpListener

Json = dict[str, Any]


@dataclass
class Script:
    """What the server did, and what it should do.

    Attributes:
        forget: answer every known session with `forgetting_status` from now on.
        forgetting: the content type and the body of that answer; `ID` in it is the request's id.
        refuse: statuses to answer the next requests with.
        hang_up: close the connection instead of answering this many requests.
        gzip: claim that answers are compressed.
    """

    url: str = ""
    forget: set[str] = field(default_factory=set)
    forgetting: tuple[str, str] = ("", "")
    forgetting_status: int = 404
    sessions: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    refuse: list[int] = field(default_factory=list)
    hang_up: int = 0
    gzip: bool = False
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def methods(self) -> list[str]:
        return [method for method, _ in self.seen]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    script: Script

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.reply(405)

    def do_DELETE(self) -> None:
        self.script.ended.append(self.headers["mcp-session-id"])
        self.reply(200)

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method, script = message.get("method", "answer"), self.script
        script.seen.append((method, {name.lower(): value for name, value in self.headers.items()}))
        forgotten = method != "initialize" and self.headers["mcp-session-id"] in script.forget
        if forgotten and ("id" not in message or method == "answer"):
            kind, body = script.forgetting
            self.reply(script.forgetting_status, body.encode(), {"content-type": kind} if kind else {})
        elif "id" not in message or method == "answer":
            self.reply(202)
        elif script.hang_up:
            script.hang_up -= 1
            self.close_connection = True
        elif script.refuse:
            self.reply(script.refuse.pop(0))
        elif forgotten:
            kind, body = script.forgetting
            body = body.replace("ID", json.dumps(message["id"]))
            self.reply(script.forgetting_status, body.encode(), {"content-type": kind} if kind else {})
        else:
            self.answer(message)

    def answer(self, message: Json) -> None:
        headers = {"content-type": "application/json"}
        match message:
            case {"method": "initialize", "params": {"protocolVersion": version}}:
                self.script.sessions.append(f"session-{len(self.script.sessions)}")
                headers["mcp-session-id"] = self.script.sessions[-1]
                info = {"name": "http", "version": "1"}
                result: Json = {"protocolVersion": version, "capabilities": {}, "serverInfo": info}
            case {"method": "tools/list"}:
                result = {"tools": []}
            case {"method": "tools/call", "params": {"arguments": {"size": size} as arguments}}:
                result = {"content": [{"type": "text", "text": "x" * size}]}
                if arguments.get("sse"):
                    headers["content-type"] = "text/event-stream"
            case _:
                result = {}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        if headers["content-type"] == "text/event-stream":
            body = b"event: message\ndata: " + body + b"\n\n"
        if self.script.gzip:
            headers["content-encoding"] = "gzip"
        self.reply(200, body, headers)

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:  # the client refuses what is too large, in the middle
            self.close_connection = True


@contextmanager
def http_server() -> Iterator[Script]:
    script = Script()
    server = HttpListener(("127.0.0.1", 0), type("Scripted", (Handler,), {"script": script}))
    script.url = f"http://127.0.0.1:{server.server_port}/mcp"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
