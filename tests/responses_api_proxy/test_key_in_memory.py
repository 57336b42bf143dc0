"""How often the key is in the proxy's memory, counted by a reader with more power than any attacker."""

import os
import re
import sys
import threading
from pathlib import Path

import pytest

from responses_api_proxy.conftest import OverTls
from responses_api_proxy.wire import KEY, Peer, Running, post, proxy, reply, upstream

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's"),
    pytest.mark.skipif(os.getuid() != 0, reason="only root reads a hardened process"),
]

BEARER = f"\r\nAuthorization: Bearer {KEY}\r\n".encode()


class Recorder:
    """An upstream that counts the requests with the right key."""

    def __init__(self) -> None:
        self.right = 0
        self.wrong = 0
        self._lock = threading.Lock()

    def serve(self, peer: Peer) -> None:
        while True:
            head, body = peer.request()
            with self._lock:
                self.right += BEARER in head
                self.wrong += BEARER not in head
            peer.send(reply(body))


def copies(pid: int, needle: bytes) -> int:
    """How often `needle` occurs in the memory of a process, as far as a privileged reader can see it."""
    found = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - not a plain file
        for line in maps:
            region = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r)", line)
            if region is None or "[v" in line:
                continue
            start, end = int(region[1], 16), int(region[2], 16)
            try:
                memory.seek(start)
                found += memory.read(end - start).count(needle)
            except OSError:  # pages that nobody else has: `memfd_secret`
                continue
    return found


def load(running: Running, clients: int, requests: int) -> None:
    """Several concurrent clients, each with consecutive requests."""

    def work() -> None:
        client = running.connect()
        for number in range(requests):
            client.send(post(b"%d" % number))
            assert client.request()[1] == b"%d" % number

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def most(running: Running, *, locked: bool) -> int:
    return 1 if locked or b"secretmem" not in Path(f"/proc/{running.process.pid}/maps").read_bytes() else 0


@pytest.mark.parametrize("options", [(), ("--no-secret-memory",)], ids=["secret", "locked"])
def test_the_key_is_not_copied_by_requests(options: tuple[str, ...]) -> None:
    recorder = Recorder()
    with (
        upstream(recorder.serve) as server,
        proxy(f"http://127.0.0.1:{server.port}/", *options) as running,
    ):
        pid, allowed = running.process.pid, most(running, locked=bool(options))
        assert copies(pid, b"code_responses_api_proxy") > 0, "the reader sees nothing at all"
        assert copies(pid, KEY.encode()) == allowed
        load(running, 1, 100)
        assert copies(pid, KEY.encode()) == allowed
        load(running, 64, 5)
        assert copies(pid, KEY.encode()) == allowed
    assert (recorder.right, recorder.wrong) == (420, 0)


class Streams:
    """An upstream whose streams begin immediately and end on demand."""

    def __init__(self) -> None:
        self.right: list[bool] = []
        self.go_on = threading.Event()

    def serve(self, peer: Peer) -> None:
        self.right.append(BEARER in peer.request()[0])
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nfirst\n\n\r\n")
        assert self.go_on.wait(60)
        peer.send(b"6\r\nlast\n\n\r\n0\r\n\r\n")

    def count_while_running(self, running: Running, allowed: int, count: int = 500) -> None:
        pid = running.process.pid
        streams = [running.ask(post()) for _ in range(count)]
        for stream in streams:
            stream.until(b"first\n\n\r\n")
        assert copies(pid, KEY.encode()) <= allowed
        self.go_on.set()
        for stream in streams:
            stream.until(b"0\r\n\r\n")
        assert copies(pid, KEY.encode()) <= allowed
        assert self.right == [True] * count


@pytest.mark.parametrize("options", [(), ("--no-secret-memory",)], ids=["secret", "locked"])
def test_the_key_is_not_copied_by_500_streams(options: tuple[str, ...]) -> None:
    streams = Streams()
    with upstream(streams.serve) as server, proxy(f"http://127.0.0.1:{server.port}/", *options) as running:
        streams.count_while_running(running, most(running, locked=bool(options)))


@pytest.mark.parametrize("options", [(), ("--no-secret-memory",)], ids=["secret", "locked"])
def test_the_key_is_not_copied_by_500_streams_over_tls(
    options: tuple[str, ...], certificate: Path, over_tls: OverTls
) -> None:
    streams = Streams()
    trust = ("--ca-file", str(certificate.with_name("cert.pem")))
    with (
        upstream(over_tls(streams.serve)) as server,
        proxy(f"https://localhost:{server.port}/", *trust, *options) as running,
    ):
        streams.count_while_running(running, most(running, locked=bool(options)))


@pytest.mark.parametrize("options", [(), ("--no-secret-memory",)], ids=["secret", "locked"])
def test_the_key_is_not_copied_by_requests_over_tls(
    options: tuple[str, ...], certificate: Path, over_tls: OverTls
) -> None:
    recorder = Recorder()
    with (
        upstream(over_tls(recorder.serve)) as server,
        proxy(
            f"https://localhost:{server.port}/", "--ca-file", str(certificate.with_name("cert.pem")), *options
        ) as running,
    ):
        allowed = most(running, locked=bool(options))
        load(running, 1, 100)
        assert copies(running.process.pid, KEY.encode()) <= allowed
        load(running, 64, 5)
        assert copies(running.process.pid, KEY.encode()) <= allowed
    assert (recorder.right, recorder.wrong) == (420, 0)


def test_an_upstream_with_an_untrusted_certificate_gets_no_key(over_tls: OverTls) -> None:
    recorder = Recorder()
    with (
        upstream(over_tls(recorder.serve)) as server,
        proxy(f"https://localhost:{server.port}/") as running,
    ):
        head, body = running.ask(post()).request()
    assert head.startswith(b"HTTP/1.1 502 ")
    assert b"certificate" in body
    assert (recorder.right, recorder.wrong) == (0, 0)
