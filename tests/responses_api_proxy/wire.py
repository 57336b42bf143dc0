"""Both ends of the proxy as plain sockets, and the proxy between them as a process."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

KEY = "sk-test-0123456789abcdefghij"
PATIENCE = 15.0
"""More seconds than any test should need."""


class Peer:
    """One end of a connection, with methods to read what is expected next."""

    def __init__(self, connected: socket.socket) -> None:
        connected.settimeout(PATIENCE)
        self.socket = connected
        self._buffer = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until(self, end: bytes) -> bytes:
        """Everything up to and including `end`."""
        while end not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(end)
        return found + end

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError(self._buffer)
            self._buffer += data
        found, self._buffer = self._buffer[:count], self._buffer[count:]
        return found

    def rest(self) -> bytes:
        """Everything until the connection ends, properly or not."""
        with suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                self._buffer += data
        found, self._buffer = self._buffer, b""
        return found

    def request(self) -> tuple[bytes, bytes]:
        """The head of a request and its body; a chunked one in its raw form."""
        head = self.until(b"\r\n\r\n")
        if length := re.search(rb"(?i)\r\ncontent-length: ([0-9]+)\r\n", head):
            return head, self.exactly(int(length[1]))
        return head, self.until(b"0\r\n\r\n")

    def chunk(self) -> bytes:
        size = int(self.until(b"\r\n"), 16)
        return self.exactly(size + 2)[:-2]

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Close so that the other side gets an error."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()


Serve = Callable[[Peer], None]


class Upstream:
    """Serves each connection with `serve`, in a thread of its own."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self.errors: list[Exception] = []
        self._peers: list[Peer] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            self.connections += 1
            peer = Peer(connected)
            self._peers.append(peer)
            threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer: Peer) -> None:
        try:
            self._serve(peer)
        except (EOFError, OSError):
            pass  # the proxy or the test left first
        except Exception as error:  # noqa: BLE001 - the test raises it
            self.errors.append(error)
        finally:
            peer.close()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for peer in self._peers:
            peer.close()


@contextmanager
def upstream(serve: Serve) -> Iterator[Upstream]:
    server = Upstream(serve)
    try:
        yield server
    finally:
        server.close()
    assert server.errors == []


@dataclass
class Running:
    """A proxy that listens."""

    process: subprocess.Popen[bytes]
    port: int
    peers: list[Peer] = field(default_factory=list)

    def connect(self) -> Peer:
        peer = Peer(socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE))
        self.peers.append(peer)
        return peer

    def ask(self, data: bytes) -> Peer:
        peer = self.connect()
        peer.send(data)
        return peer


def command(*options: str) -> list[str]:
    return [
        *(sys.executable, "-I", "-X", "disable-remote-debug"),
        *("-m", "code_responses_api_proxy", *options),
    ]


@contextmanager
def proxy(url: str, *options: str, env: dict[str, str] | None = None, key: str = KEY) -> Iterator[Running]:
    """Yield a proxy in front of `url`, and end it afterwards."""
    with subprocess.Popen(
        command("--upstream-url", url, *options),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(key.encode() + b"\n")
        process.stdin.close()
        try:
            line = process.stderr.readline()
            listening = re.fullmatch(rb"responses-api-proxy listening on 127\.0\.0\.1:([0-9]+)\n", line)
            assert listening, line + process.stderr.read()
            running = Running(process, int(listening[1]))
            yield running
        finally:
            process.kill()
        for peer in running.peers:
            peer.close()


def post(body: bytes = b"{}", *, fields: bytes = b"") -> bytes:
    return b"POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
        fields,
        len(body),
        body,
    )


def reply(body: bytes, *, status: bytes = b"200 OK", fields: bytes = b"") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body)


def error_of(response: bytes) -> dict[str, str]:
    """The error in a JSON answer of the proxy itself."""
    found = json.loads(response.partition(b"\r\n\r\n")[2])["error"]
    assert isinstance(found, dict)
    return found
