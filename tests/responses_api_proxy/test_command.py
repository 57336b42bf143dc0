import json
import os
import pty
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from responses_api_proxy.wire import KEY, PATIENCE, Peer, command, post, proxy, reply, upstream


def serve(peer: Peer) -> None:
    while True:
        _, body = peer.request()
        peer.send(reply(body))


def run(*options: str, key: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*options), input=key, capture_output=True, timeout=60, check=False)


def test_help_prints_a_usage() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.startswith(b"usage: code-responses-api-proxy ")
    for option in (b"--port", b"--server-info", b"--http-shutdown", b"--upstream-url", b"--dump-dir"):
        assert option in done.stdout


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"\n",
        b"\r\n",
        b"sk-a b\n",
        b"sk-\xc3\xa9\n",
        b"sk-a\x00\n",
        b"sk-one\nsk-two\n",
        b"sk-" + b"a" * 1015 + b"\n",
        b"\xef\xbb\xbfsk-a",
    ],
)
def test_an_invalid_key_ends_with_2_and_is_not_shown(key: bytes) -> None:
    done = run(key=key)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"sk-" not in done.stderr


@pytest.mark.parametrize("key", ["sk-" + "a" * 1014, "az.~+/=-_09"])
def test_the_longest_key_and_every_letter_arrive(key: str) -> None:
    heads = []

    def keep(peer: Peer) -> None:
        heads.append(peer.request()[0])
        peer.send(reply(b""))

    with upstream(keep) as server, proxy(f"http://127.0.0.1:{server.port}/", key=key) as running:
        running.ask(post()).request()
    assert f"\r\nAuthorization: Bearer {key}\r\n".encode() in heads[0]


def test_a_key_is_not_read_from_a_terminal() -> None:
    master, slave = pty.openpty()
    try:
        done = subprocess.run(command(), stdin=slave, capture_output=True, timeout=60, check=False)
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 2
    assert b"terminal" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--port", "70000"),
        ("--port", "x"),
        ("--unknown",),
        ("--upstream-url", "ftp://a/"),
        ("--upstream-url", "http://user@a/"),
        ("--upstream-url", "http://a/\r\nX: 1"),
        ("--max-body-mib", "0"),
    ],
)
def test_invalid_usage_ends_with_2(options: tuple[str, ...]) -> None:
    assert run(*options, key=b"sk-a").returncode == 2


def test_a_port_in_use_ends_with_1() -> None:
    with upstream(serve) as server:
        done = run("--port", str(server.port), key=b"sk-a")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1


def test_the_server_info_file_is_private_and_has_the_port(tmp_path: Path) -> None:
    info = tmp_path / "info.json"
    with upstream(serve) as server:
        url = f"http://127.0.0.1:{server.port}/"
        with proxy(url, "--server-info", str(info), "--require-token") as running:
            facts = json.loads(info.read_text())
            assert (facts["port"], facts["pid"]) == (running.port, running.process.pid)
            assert stat.S_IMODE(info.stat().st_mode) == 0o600
            assert info.read_text().count("\n") == 1
            assert running.ask(post()).rest().startswith(b"HTTP/1.1 403 ")
            token = f"Authorization: Bearer {facts['token']}\r\n".encode()
            assert running.ask(post(b"with", fields=token)).request()[1] == b"with"
    assert list(tmp_path.iterdir()) == [info]


def test_the_proxy_ends_when_its_parent_closes_the_pipe() -> None:
    with (
        upstream(serve) as server,
        subprocess.Popen(
            command(
                *("--upstream-url", f"http://127.0.0.1:{server.port}/"),
                *("--server-info", "-", "--require-token", "--exit-on-eof"),
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process,
    ):
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"sk-a\n")
        process.stdin.flush()
        facts = json.loads(process.stdout.readline())
        request = post(b"with", fields=f"Authorization: Bearer {facts['token']}\r\n".encode())
        with socket.create_connection(("127.0.0.1", facts["port"])) as connected:
            peer = Peer(connected)
            peer.send(request)
            assert peer.request()[1] == b"with"
            process.stdin.close()
            assert process.wait(PATIENCE) == 0


def test_exit_on_eof_requires_a_pipe(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"sk-a\n")
    with key.open("rb") as file:
        done = subprocess.run(
            command("--exit-on-eof"), stdin=file, capture_output=True, timeout=60, check=False
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert b"needs a pipe" in done.stderr


def test_shutdown_lets_a_running_stream_finish() -> None:
    go_on = threading.Event()

    def slow(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabc\n\r\n")
        assert go_on.wait(PATIENCE)
        peer.send(b"3\r\ndef\r\n0\r\n\r\n")

    with upstream(slow) as server, proxy(f"http://127.0.0.1:{server.port}/", "--http-shutdown") as running:
        stream = running.ask(post())
        stream.until(b"abc\n\r\n")
        ending = running.ask(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").rest()
        assert ending.startswith(b"HTTP/1.1 200 OK\r\n")
        go_on.set()
        assert stream.rest() == b"3\r\ndef\r\n0\r\n\r\n"
        assert running.process.wait(PATIENCE) == 0


def test_a_signal_shuts_the_proxy_down_cleanly() -> None:
    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        running.process.terminate()
        assert running.process.wait(PATIENCE) == 0


def test_a_dump_contains_both_sides_without_credentials(tmp_path: Path) -> None:
    def set_cookie(peer: Peer) -> None:
        peer.request()
        peer.send(reply(b'{"done": true}', fields=b"Set-Cookie: secret-cookie\r\n"))

    with upstream(set_cookie) as server:
        url = f"http://127.0.0.1:{server.port}/"
        with proxy(url, "--dump-dir", str(tmp_path / "dumps"), "--http-shutdown") as running:
            fields = b"Authorization: Bearer secret-theirs\r\nCookie: secret-cookie\r\nX-Open: yes\r\n"
            running.ask(post(b'{"a": 1}', fields=fields)).request()
            running.ask(b"GET /shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n").rest()
            assert running.process.wait(PATIENCE) == 0
    request, response = sorted((tmp_path / "dumps").iterdir())
    assert request.name.removesuffix("-request.json") == response.name.removesuffix("-response.json")
    for file in (request, response):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "secret-" not in file.read_text()
        assert KEY not in file.read_text()
    assert json.loads(request.read_text())["body"] == {"a": 1}
    assert {"name": "X-Open", "value": "yes"} in json.loads(request.read_text())["headers"]
    assert json.loads(response.read_text())["status"] == 200
    assert json.loads(response.read_text())["body"] == {"done": True}
