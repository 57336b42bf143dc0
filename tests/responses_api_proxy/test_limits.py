"""Shortages: descriptors, disk space, time to finish."""

import base64
import json
import os
import resource
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from responses_api_proxy.wire import Peer, post, proxy, reply, upstream


def answering(peer: Peer) -> None:
    while True:
        peer.request()
        peer.send(reply(b"ok"))


def test_too_many_clients_do_not_stop_those_that_are_served() -> None:
    with upstream(answering) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        pid = running.process.pid
        # As if the limit had been low from the start, except for the check of the command line.
        used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        first = running.ask(post())
        assert first.until(b"ok")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 6, used + 6))
        crowd = [running.connect() for _ in range(40)]
        first.send(post())
        assert first.until(b"ok")
        for peer in crowd:
            peer.close()
        assert running.process.poll() is None


def test_the_connection_limit_is_lower_if_descriptors_are_scarce() -> None:
    command = ["/bin/sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"]
    from responses_api_proxy.wire import command as proxy_command

    with subprocess.Popen(
        [*command, *proxy_command("--http-shutdown")], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"sk-test\n")
        process.stdin.close()
        warning = process.stderr.readline()
        process.kill()
    assert b"allows 16 connections, not 1024" in warning


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("mount") is None, reason="needs root to mount a small disk"
)
def test_a_full_dump_directory_causes_one_line_and_does_not_fail_the_request(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", tmp_path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    try:
        options = ("--dump-dir", str(tmp_path))
        with upstream(answering) as server, proxy(f"http://127.0.0.1:{server.port}/", *options) as running:
            peer = running.ask(post(b"x" * 100_000))
            assert peer.until(b"ok")
            assert running.process.stderr is not None
            assert b"is not written: No space left on device" in running.process.stderr.readline()
            assert not list(tmp_path.glob("*-request.json"))
            peer.send(post())
            assert peer.until(b"ok")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_a_running_stream_finish_and_takes_no_new_client(number: signal.Signals) -> None:
    go_on = threading.Event()

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n")
        go_on.wait(10)
        peer.send(b"2\r\nb\n\r\n0\r\n\r\n")

    with upstream(serve) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        idle = running.connect()
        peer = running.ask(post())
        assert peer.until(b"a\n\r\n")
        running.process.send_signal(number)
        assert idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            running.connect()
        go_on.set()
        assert peer.rest() == b"2\r\nb\n\r\n0\r\n\r\n"
        assert running.process.wait(10) == 0


def test_a_second_signal_ends_the_proxy_immediately() -> None:
    arrived = threading.Event()

    def never_answering(peer: Peer) -> None:
        peer.request()
        arrived.set()
        peer.rest()

    with upstream(never_answering) as server, proxy(f"http://127.0.0.1:{server.port}/") as running:
        idle = running.connect()
        running.ask(post())
        assert arrived.wait(10)
        running.process.send_signal(signal.SIGTERM)
        assert idle.rest() == b""
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(3) == -signal.SIGTERM


def test_a_required_token_is_printed_and_checked(tmp_path: Path) -> None:
    info = tmp_path / "info.json"
    options = ("--require-token", "--server-info", str(info))
    with upstream(answering) as server, proxy(f"http://127.0.0.1:{server.port}/", *options) as running:
        token = json.loads(info.read_text())["token"]
        assert len(token) >= 32
        assert running.ask(post()).rest().startswith(b"HTTP/1.1 403 ")
        wrong = post(fields=b"Authorization: Bearer wrong\r\n")
        assert running.ask(wrong).rest().startswith(b"HTTP/1.1 403 ")
        right = post(fields=b"Authorization: Bearer %b\r\n" % token.encode())
        assert running.ask(right).until(b"ok").startswith(b"HTTP/1.1 200 ")
    with (
        pytest.raises(AssertionError, match="--server-info"),
        proxy("http://127.0.0.1:1/", "--require-token"),
    ):
        pass


DIRECT = {"no_proxy": "", "NO_PROXY": ""}


def test_a_proxy_in_the_environment_is_used_on_request() -> None:
    asked: list[bytes] = []

    def tunnel(peer: Peer) -> None:
        asked.append(peer.until(b"\r\n\r\n"))
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        answering(peer)

    with upstream(tunnel) as server:
        environment = {**os.environ, **DIRECT, "http_proxy": f"http://127.0.0.1:{server.port}"}
        with proxy("http://127.0.0.1:81/", "--use-env-proxy", env=environment) as running:
            assert running.ask(post()).until(b"ok").startswith(b"HTTP/1.1 200 ")
    assert asked[0].startswith(b"CONNECT 127.0.0.1:81 HTTP/1.1\r\n")
    assert b"Authorization" not in asked[0]


def test_a_password_for_the_environments_proxy_is_sent_only_to_it() -> None:
    asked: list[bytes] = []

    def tunnel(peer: Peer) -> None:
        asked.append(peer.until(b"\r\n\r\n"))
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        asked.append(peer.until(b"\r\n\r\n"))
        peer.send(reply(b"ok"))

    with upstream(tunnel) as server:
        address = f"http://me:p%40ss@127.0.0.1:{server.port}"
        environment = {**os.environ, **DIRECT, "http_proxy": address}
        with proxy("http://127.0.0.1:81/", "--use-env-proxy", env=environment) as running:
            assert running.ask(post()).until(b"ok").startswith(b"HTTP/1.1 200 ")
    login = base64.b64encode(b"me:p@ss")
    assert b"\r\nProxy-Authorization: Basic " + login + b"\r\n" in asked[0]
    assert login not in b"".join(asked[1:])


@pytest.mark.parametrize(
    "value", ["socks5://127.0.0.1:1", "https://user:secret@127.0.0.1:1", "http://127.0.0.1:0"]
)
def test_an_unusable_proxy_in_the_environment_is_named(value: str) -> None:
    environment = {**os.environ, **DIRECT, "http_proxy": value}
    with (
        pytest.raises(AssertionError, match="http_proxy is not of the form"),
        proxy("http://example.invalid/", "--use-env-proxy", env=environment),
    ):
        pass
