"""A scripted model API on a real socket: the Responses API and Chat Completions."""

import json
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from support import chat_rules, responses_rules
from support.http_listener import HttpListener


@dataclass(frozen=True)
class Pause:
    """A wait inside a stream: for seconds, or until an event is set."""

    until: float | threading.Event


@dataclass(frozen=True)
class Reply:
    """One scripted answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    parts: tuple[bytes | Pause, ...] = ()
    disconnect: bool = False


@dataclass(frozen=True)
class RecordedRequest:
    """A received request."""

    method: str
    path: str
    query: dict[str, str]
    headers: Message
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(self.body)
        return decoded


def pause(until: float | threading.Event) -> Pause:
    return Pause(until)


def raw(data: bytes) -> bytes:
    return data


def stream(*events: dict[str, Any] | bytes | Pause, disconnect: bool = False, **headers: str) -> Reply:
    """A stream of server-sent events; `disconnect` resets the connection in the middle."""
    parts = tuple(
        event
        if isinstance(event, bytes | Pause)
        else f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        for event in events
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(200, {"Content-Type": "text/event-stream", **named}, parts, disconnect)


def reply(status: int, *, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
    """A plain answer; `body` is text, or is sent as JSON."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Reply(status, headers or {}, (data,))


def chat_stream(
    *chunks: dict[str, Any] | bytes | Pause, disconnect: bool = False, done: bool = True
) -> Reply:
    """A stream of Chat Completions chunks, with its `[DONE]`; `disconnect` as for `stream`."""
    parts = tuple(
        chunk if isinstance(chunk, bytes | Pause) else f"data: {json.dumps(chunk)}\n\n".encode()
        for chunk in chunks
    )
    end = (b"data: [DONE]\n\n",) if done and not disconnect else ()
    return Reply(200, {"Content-Type": "text/event-stream"}, parts + end, disconnect)


def _violations(request: RecordedRequest) -> list[str]:
    if request.path.endswith("/chat/completions"):
        return chat_rules.violations(request.json)
    return responses_rules.violations(request.json)


class ScriptedUpstream:
    """Answers requests with scripted replies, in order; records all of them.

    A request that the API would refuse gets a 400 and does not use up a reply.
    """

    def __init__(self, replies: Iterable[Reply] = (), *, strict: bool = True) -> None:
        self._replies = list(replies)
        self._strict = strict
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self.requests: list[RecordedRequest] = []
        self.unexpected: list[str] = []
        self.answers: dict[str, Reply] = {}
        """The answers to `GET` requests by path; 404 for others."""
        self.questions: list[RecordedRequest] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                upstream.answer(self)

            def do_GET(self) -> None:
                upstream.answer_question(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        class Server(HttpListener):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that disconnects is part of some tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def add(self, *replies: Reply) -> None:
        with self._changed:
            self._replies.extend(replies)

    def wait_for_requests(self, number: int, timeout: float = 10) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.requests) >= number, timeout), (
                "no such request came"
            )

    def assert_finished(self) -> None:
        assert not self._replies, f"{len(self._replies)} replies were not asked for"
        assert not self.unexpected, self.unexpected

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve one request; called on the connection's thread."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        url = urlsplit(handler.path)
        request = RecordedRequest("POST", url.path, dict(parse_qsl(url.query)), handler.headers, body)
        problems = _violations(request) if self._strict else []
        with self._changed:
            self.requests.append(request)
            if problems:
                scripted = reply(400, body={"error": {"message": "; ".join(problems)}})
                self.unexpected += problems
            elif self._replies:
                scripted = self._replies.pop(0)
            else:
                scripted = reply(400, body={"error": {"message": "the script has no further reply"}})
                self.unexpected.append("a request beyond the script")
            self._changed.notify_all()
        self._send(handler, scripted)

    def answer_question(self, handler: BaseHTTPRequestHandler) -> None:
        """Serve a `GET`; called on the connection's thread."""
        url = urlsplit(handler.path)
        self.questions.append(RecordedRequest("GET", url.path, {}, handler.headers, b""))
        self._send(handler, self.answers.get(url.path, reply(404, body="not here")))

    def _send(self, handler: BaseHTTPRequestHandler, scripted: Reply) -> None:
        handler.send_response(scripted.status)
        for name, value in scripted.headers.items():
            handler.send_header(name, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in scripted.parts:
            if isinstance(part, Pause):
                self._wait(part)
            elif part:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        if scripted.disconnect:
            handler.close_connection = True
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            handler.wfile.write(b"0\r\n\r\n")

    def _wait(self, part: Pause) -> None:
        if isinstance(part.until, threading.Event):
            while not part.until.wait(0.05) and not self._closing.is_set():
                pass
        else:
            self._closing.wait(part.until)
