"""What `code exec` does with faulty providers, proxies and inputs."""

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import Reply, ScriptedUpstream, pictures, reply, stream
from support import responses_events as sse
from support.command import KEY, Workspace, make_workspace

RETRIES = (
    "-c",
    "model_providers.scripted.request_max_retries=0",
    "-c",
    "model_providers.scripted.stream_max_retries=0",
)


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def workspace(tmp_path: Path, upstream: ScriptedUpstream) -> Workspace:
    workspace = make_workspace(tmp_path)
    workspace.configure(upstream.base_url)
    return workspace


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            Reply(200, {"Content-Type": "text/html"}, (b"<html><title>Sign in</title>\x1b[2J",)),
            "the answer is not a stream of events: Sign in",
        ),
        (
            Reply(200, {"Content-Type": "application/json"}, (b'{"error": {"message": "no room"}}',)),
            "the response failed (no code): no room",
        ),
        (Reply(200, {"Content-Type": "text/event-stream"}, (b'{"detail": "no room"}',)), "no room"),
        (
            reply(308, headers={"Location": "https://new.example.com/v1/responses"}),
            "set base_url to https://new.example.com/v1",
        ),
        (stream(sse.created(), b'event: error\ndata: {"error": "no room"}\n\n'), "no room"),
    ],
)
def test_the_providers_own_error_message_is_shown(
    workspace: Workspace, upstream: ScriptedUpstream, answer: Reply, words: str
) -> None:
    upstream.add(answer)
    done = workspace.run("exec", *RETRIES, "hi")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Scripted ({upstream.base_url})" in done.stderr
    assert words in done.stderr
    assert "\x1b" not in done.stderr
    assert len(upstream.requests) == 1


def test_a_whole_response_instead_of_a_stream_is_accepted(
    workspace: Workspace, upstream: ScriptedUpstream
) -> None:
    body = {"object": "response", "status": "completed", "output": [sse.message("whole")["item"]]}
    upstream.add(reply(200, body=body, headers={"Content-Type": "application/json; charset=utf-8"}))
    done = workspace.run("exec", "hi")
    assert (done.returncode, done.stdout) == (0, "whole\n")


@pytest.mark.parametrize("isolation", ["always", "never"])
def test_an_untrusted_certificate_is_reported_immediately(
    workspace: Workspace, tmp_path: Path, isolation: str
) -> None:
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *(
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
                "-keyout",
                "key.pem",
                "-out",
                "cert.pem",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                asked.append("connection")
                try:
                    context.wrap_socket(connection, server_side=True).close()
                except OSError:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        workspace.configure(f"https://localhost:{listener.getsockname()[1]}")
        done = workspace.run("exec", "-c", f"key_isolation={isolation}", "hi")
    assert done.returncode == 1
    assert "its certificate is not trusted (self-signed certificate): set SSL_CERT_FILE" in done.stderr
    assert len(asked) == 1


@pytest.mark.parametrize("isolation", ["always", "never"])
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_used_with_and_without_key_isolation(
    workspace: Workspace, name: str, isolation: str
) -> None:
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=serve, daemon=True).start()
        workspace.configure("https://up.invalid/v1")
        workspace.environment[name] = f"http://me:p%40ss@127.0.0.1:{listener.getsockname()[1]}"
        done = workspace.run("exec", *RETRIES, "-c", f"key_isolation={isolation}", "hi")
    assert done.returncode == 1
    [head] = asked
    assert head.startswith(b"CONNECT up.invalid:443 HTTP/1.1\r\n")
    assert b"\r\nproxy-authorization: basic bwu6cebzcw==\r\n" in head.lower()
    assert "p%40ss" not in done.stderr


@pytest.mark.parametrize("isolation", ["always", "never"])
def test_hosts_without_a_proxy_are_reached_directly(workspace: Workspace, isolation: str) -> None:
    workspace.configure("https://up.invalid/v1")
    workspace.environment.update(ALL_PROXY="http://127.0.0.1:9", NO_PROXY="invalid")
    done = workspace.run("exec", *RETRIES, "-c", f"key_isolation={isolation}", "hi")
    assert done.returncode == 1
    assert "127.0.0.1:9" not in done.stderr
    assert "ame or service not known" in done.stderr or "ddress" in done.stderr


@pytest.mark.parametrize("isolation", ["always", "never"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://me:secret@127.0.0.1:9", "ALL_PROXY names a SOCKS proxy"),
        ("nonsense://x", "ALL_PROXY is not of the form"),
    ],
)
def test_an_unusable_proxy_is_reported_in_one_line(
    workspace: Workspace, value: str, words: str, isolation: str
) -> None:
    workspace.configure("https://up.invalid/v1")
    workspace.environment["ALL_PROXY"] = value
    done = workspace.run("exec", "-c", f"key_isolation={isolation}", "hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_this_machine_is_reached_without_a_proxy(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    workspace.environment["ALL_PROXY"] = "socks5://127.0.0.1:9"
    upstream.add(stream(sse.created(), sse.message("hi"), sse.completed()))
    done = workspace.run("exec", "hi")
    assert (done.returncode, done.stdout) == (0, "hi\n")


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("missing.png", None, "cannot be read: No such file"),
        ("text.png", b"just text", "is not an image of type PNG"),
        ("drawing.svg", b"<svg/>", "is not an image of type PNG"),
        ("cut.png", pictures.png()[:-4], "is a PNG image that is cut off"),
        ("many.gif", pictures.gif(3), "is an animation of 3 images"),
        ("", None, "cannot be read: Is a directory"),
    ],
)
def test_an_image_that_cannot_be_sent_fails_before_anything_is_sent(
    workspace: Workspace, upstream: ScriptedUpstream, name: str, data: bytes | None, words: str
) -> None:
    path = workspace.directory / name
    if data is not None:
        path.write_bytes(data)
    done = workspace.run("exec", "-i", str(path), "look")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert upstream.requests == []


def test_an_image_is_sent_with_its_actual_type(workspace: Workspace, upstream: ScriptedUpstream) -> None:
    path = workspace.directory / "picture.txt"
    path.write_bytes(pictures.jpeg())
    upstream.add(stream(sse.created(), sse.message("seen"), sse.completed()))
    done = workspace.run("exec", "-i", str(path), "look")
    assert done.returncode == 0
    assert '"image_url":"data:image/jpeg;base64,' in upstream.requests[0].body.decode()


@pytest.mark.parametrize("by", ["file", "option", "profile"])
def test_a_scenario_overrides_every_provider_and_sends_nothing(
    workspace: Workspace, upstream: ScriptedUpstream, by: str
) -> None:
    scenario = workspace.home / "scenario.jsonl"
    events = [sse.created(), sse.message("replayed"), sse.completed()]
    scenario.write_text(json.dumps({"replay": 1}) + "\n" + json.dumps({"stream": events}) + "\n")
    workspace.environment["CODE_REPLAY"] = str(scenario)
    if by == "profile":
        with (workspace.home / "config.toml").open("a") as file:
            file.write('\n[profiles.p]\nmodel_provider = "scripted"\n')
    options = {"file": (), "option": ("-c", "model_provider=scripted"), "profile": ("--profile", "p")}[by]
    done = workspace.run("exec", *options, "hi")
    assert (done.returncode, done.stdout) == (0, "replayed\n"), done.stderr
    workspace.environment["CODE_REPLAY"] = str(workspace.home / "missing")
    assert workspace.run("exec", *options, "hi").returncode == 2
    assert upstream.requests == []


@pytest.mark.parametrize("key", ["model_verbosity", "model_text_verbosity"])
def test_verbosity_is_sent_to_a_model_that_supports_it(
    workspace: Workspace, upstream: ScriptedUpstream, key: str
) -> None:
    end = stream(sse.created(), sse.message("hi"), sse.completed())
    upstream.add(end, end)
    workspace.configure(upstream.base_url, f'{key} = "low"')
    with_it = workspace.run("exec", "hi")
    without = workspace.run("exec", "-m", "gpt-4.1", "hi")
    assert "has no effect" not in with_it.stderr
    assert (
        "warning: model_text_verbosity has no effect: the model gpt-4.1 does not support it" in without.stderr
    )
    first, second = (request.json for request in upstream.requests)
    assert first["text"] == {"verbosity": "low"}
    assert "text" not in second


@pytest.mark.parametrize("level", ["debug", "info"])
def test_the_log_has_requests_decisions_and_processes_and_no_secrets(
    workspace: Workspace, upstream: ScriptedUpstream, level: str
) -> None:
    workspace.environment["CODE_LOG"] = level
    upstream.add(
        reply(503, body="busy", headers={"x-request-id": "req-1"}),
        stream(
            sse.created(), sse.function_call("shell", {"command": ["echo", "private"]}, "c1"), sse.completed()
        ),
        stream(sse.created(), sse.message("private words"), sse.completed(), x_request_id="req-3"),
    )
    done = workspace.run("exec", "--dangerously-bypass-approvals-and-sandbox", "private prompt")
    assert done.returncode == 0, done.stderr
    log = (workspace.home / "log" / "code.log").read_text()
    assert "request 1: POST 127.0.0.1 /v1/responses status=503 request_id=req-1 sent=" in log
    assert "request 3: POST 127.0.0.1 /v1/responses status=200 request_id=req-3 sent=" in log
    assert "command c1: Run(confined=False)" in log
    assert "ended with 0 after" in log
    assert KEY not in log
    assert "private" not in log
    assert "version" not in log  # of the query
    assert "blue" not in log  # of a header
