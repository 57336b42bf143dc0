"""How many connections the requests of a session take."""

import asyncio.trsock
import json
import os
import socket
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from code_core.model import connection
from code_core.model.http import HttpModelClient
from code_core.model.providers import Provider
from code_core.model.responses import ResponsesWire
from code_core.protocol.items import InputText, Message
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import Completed
from support import responses_events as sse
from support.certificates import make_certificate

PROMPT = Prompt(
    ModelSettings("m"), "c", "be good", [Message(role="user", content=[InputText(text="hi")])], []
)
EVENTS = b"".join(
    b"data: %s\n\n" % json.dumps(event).encode()
    for event in (sse.created(), sse.message("Hi"), sse.completed())
)
END = b"0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(EVENTS), EVENTS) + END


@pytest.fixture
def server_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a server on `localhost` that this process trusts."""
    make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context


def connections_of(requests: int, context: ssl.SSLContext | None, *, ends_late: bool = False) -> int:
    """How many connections a server sees for this many requests.

    If `ends_late`, the end of each answer follows after its last event was read.
    """
    connections = 0
    was_read, has_ended = threading.Semaphore(0), threading.Semaphore(0)

    class Handler(socketserver.StreamRequestHandler):
        disable_nagle_algorithm = True

        def setup(self) -> None:
            if context is not None:
                self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def handle(self) -> None:
            nonlocal connections
            connections += 1
            while self.rfile.readline():
                length = 0
                while (line := self.rfile.readline()).strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                if ends_late:
                    self.wfile.write(ANSWER.removesuffix(END))
                    was_read.acquire(timeout=30)
                    self.wfile.write(END)
                    has_ended.release()
                else:
                    self.wfile.write(ANSWER)

    async def ask(url: str) -> None:
        provider = Provider(id="p", name="P", base_url=url, wire_api="responses", env_key=None)
        client = HttpModelClient(provider, ResponsesWire(provider), os.environb)
        for _ in range(requests):
            async with client.stream(PROMPT) as answer:
                events = [event async for event in answer]
            assert isinstance(events[-1], Completed)
            was_read.release()
            if ends_late:
                await anyio.to_thread.run_sync(has_ended.acquire)
        await client.aclose()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        scheme = "http" if context is None else "https"
        try:
            anyio.run(ask, f"{scheme}://localhost:{server.server_address[1]}")
        finally:
            server.shutdown()
    return connections


@pytest.mark.parametrize("ends_late", [False, True])
def test_requests_over_tls_share_a_connection(server_context: ssl.SSLContext, ends_late: bool) -> None:
    assert connections_of(3, server_context, ends_late=ends_late) == 1


@pytest.mark.parametrize(("option", "connections"), [(connection.ACKNOWLEDGE or 12, 1), (None, 3)])
def test_requests_without_tls_share_a_connection_if_they_do_not_wait_for_acknowledgements(
    monkeypatch: pytest.MonkeyPatch, option: int | None, connections: int
) -> None:
    monkeypatch.setattr(connection, "ACKNOWLEDGE", option)
    assert connections_of(3, None) == connections


@pytest.mark.skipif(connection.ACKNOWLEDGE is None, reason="the system cannot acknowledge immediately")
@pytest.mark.parametrize("is_encrypted", [False, True])
def test_everything_received_is_acknowledged_immediately(
    server_context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, is_encrypted: bool
) -> None:
    options = []
    original = asyncio.trsock.TransportSocket.setsockopt

    def set_option(raw: asyncio.trsock.TransportSocket, *option: Any) -> None:
        options.append(option)
        original(raw, *option)

    monkeypatch.setattr(asyncio.trsock.TransportSocket, "setsockopt", set_option)
    connections_of(2, server_context if is_encrypted else None)
    assert options.count((socket.IPPROTO_TCP, connection.ACKNOWLEDGE, 1)) >= 2
