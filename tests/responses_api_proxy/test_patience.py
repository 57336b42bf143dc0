"""How long the proxy waits for a client and for the upstream, with a simulated clock."""

import asyncio
import errno
import math
import socket
from collections.abc import Callable
from typing import Any

import pytest

from code_process_hardening import SecretBuffer
from code_responses_api_proxy.answers import failure
from code_responses_api_proxy.downstream import HEAD_SECONDS, IDLE_SECONDS, STALL_SECONDS, Downstream
from code_responses_api_proxy.errors import ConnectTimeoutError
from code_responses_api_proxy.gate import Policy
from code_responses_api_proxy.pool import Pool
from code_responses_api_proxy.redact import Redactor
from code_responses_api_proxy.server import Proxy
from code_responses_api_proxy.target import parse_target
from responses_api_proxy.wire import error_of

HEAD = b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n"


class Wire(asyncio.Transport):
    """The client's end of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False
        self.gone = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def write_eof(self) -> None:
        """Nothing more is written."""
        if self.gone:
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def abort(self) -> None:
        self.aborted = True

    def is_closing(self) -> bool:
        return self.aborted

    def pause_reading(self) -> None:
        """The test reads."""

    def resume_reading(self) -> None:
        """As above."""


class Client:
    """Sends to a connection of the proxy at a given time."""

    def __init__(self, proxy: Proxy) -> None:
        self.now = 1000.0
        self.wire = Wire()
        self._scratch = proxy.scratch
        self.connection = Downstream(proxy, lambda: self.now)
        self.connection.connection_made(self.wire)

    def send(self, data: bytes) -> None:
        self._scratch[: len(data)] = data
        self.connection.buffer_updated(len(data))

    @property
    def patience(self) -> float:
        """Seconds until the proxy gives up."""
        return self.connection.deadline - self.now


def on_clock(script: Callable[[Client], None]) -> None:
    """Run `script` with a client of a proxy whose upstream does not run."""

    async def main() -> None:
        scratch = memoryview(bytearray(65536))
        pool = Pool(parse_target("http://127.0.0.1:1/"), scratch, connect_seconds=1)
        with SecretBuffer(64) as head:
            redactor = Redactor(memoryview(b""))
            client = Client(
                Proxy(Policy(1000), pool, head, redactor, scratch=scratch, url="", max_connections=4)
            )
            script(client)
            client.connection.connection_lost(None)
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_silent_client_is_disconnected_without_an_answer() -> None:
    def script(client: Client) -> None:
        assert client.patience == IDLE_SECONDS == 75
        client.connection.expire()
        assert client.wire.aborted
        assert client.wire.written == b""

    on_clock(script)


def test_a_head_must_arrive_within_10_seconds() -> None:
    def script(client: Client) -> None:
        client.now += 60
        for byte in HEAD[:8]:
            client.send(bytes([byte]))
            client.now += 1
        assert client.patience == HEAD_SECONDS - 8 == 2
        client.connection.expire()
        assert client.wire.written.startswith(b"HTTP/1.1 408 ")
        assert error_of(client.wire.written)["message"] == "the request did not arrive in time"

    on_clock(script)


def test_a_refused_client_that_has_disconnected_does_not_affect_others() -> None:
    def script(client: Client) -> None:
        client.send(HEAD[:8])
        client.wire.gone = True
        client.connection.expire()  # the sweep calls it, so an exception would end the sweep
        assert client.wire.aborted

    on_clock(script)


def test_a_body_may_pause_for_75_seconds_and_a_complete_request_has_no_limit() -> None:
    def script(client: Client) -> None:
        client.send(HEAD + b"ab")
        client.connection.hold_request(False)  # the upstream takes it
        client.now += 70
        client.send(b"c")
        assert client.patience == 75
        client.send(b"d")
        assert client.patience == math.inf

    on_clock(script)


def test_an_upstream_may_stop_reading_a_body_for_300_seconds() -> None:
    def script(client: Client) -> None:
        client.send(HEAD + b"ab")
        client.connection.hold_request(True)
        assert client.patience == STALL_SECONDS == 300
        client.connection.expire()
        assert client.wire.written.startswith(b"HTTP/1.1 504 ")
        assert error_of(client.wire.written)["message"] == "the upstream stopped reading the request"

    on_clock(script)


def test_an_upstream_that_accepts_no_connection_is_a_504() -> None:
    async def main(port: int) -> ConnectTimeoutError:
        pool = Pool(
            parse_target(f"http://127.0.0.1:{port}/"), memoryview(bytearray(100)), connect_seconds=0.1
        )
        with pytest.raises(ConnectTimeoutError, match=r"within 0\.1 s") as caught:
            await pool.connect()
        return caught.value

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        with socket.create_connection(address):  # the only one that may wait
            answer = failure(asyncio.run(main(address[1])), keep_alive=True)
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert error_of(answer)["code"] == "upstream_timeout"
    assert error_of(answer)["type"] == "proxy_error"
