"""How many connections the requests of a session take."""

import json
import socketserver
import threading

import anyio

from code_core.model.http import HttpModelClient
from code_core.model.providers import Provider
from code_core.model.responses import ResponsesWire
from code_core.protocol.items import InputText, Message
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import Completed
from support import responses_events as sse

PROMPT = Prompt(
    ModelSettings("m"), "c", "be good", [Message(role="user", content=[InputText(text="hi")])], []
)
EVENTS = b"".join(
    b"data: %s\n\n" % json.dumps(event).encode()
    for event in (sse.created(), sse.message("Hi"), sse.completed())
)
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
    len(EVENTS),
    EVENTS,
)


def test_the_next_request_uses_the_connection_of_the_last() -> None:
    connections = 0

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            nonlocal connections
            connections += 1
            while self.rfile.readline():
                length = 0
                while (line := self.rfile.readline()).strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                self.rfile.read(length)
                self.wfile.write(ANSWER)

    async def ask(url: str) -> None:
        provider = Provider(id="p", name="P", base_url=url, wire_api="responses", env_key=None)
        client = HttpModelClient(provider, ResponsesWire(provider), {})
        for _ in range(3):
            async with client.stream(PROMPT) as answer:
                events = [event async for event in answer]
            assert isinstance(events[-1], Completed)
        await client.aclose()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        try:
            anyio.run(ask, f"http://127.0.0.1:{server.server_address[1]}")
        finally:
            server.shutdown()
    assert connections == 1
