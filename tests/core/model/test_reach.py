"""Whether a provider can be reached."""

import re
import socket
import ssl
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from code_core.errors import ConfigError, ModelError
from code_core.model import reach as module
from code_core.model.errors import ConnectError
from code_core.model.http_client import HttpClient, HttpResponse
from code_core.model.network import http_client
from code_core.model.providers import Provider
from code_core.model.reach import reach
from support import Reply, ScriptedUpstream, pause, reply


def asked(url: str) -> str:
    return anyio.run(reach, Provider("p", "P", url))


@pytest.mark.parametrize("status", [200, 401, 404, 503])
def test_any_answer_counts_as_reachable(status: int) -> None:
    with ScriptedUpstream() as upstream:
        upstream.answers["/v1"] = reply(status, body="x")
        found = re.fullmatch(r"answers \(status (\d+)\) after (\d+) ms", asked(upstream.base_url))
        assert found is not None
        assert int(found[1]) == status
        assert 0 <= int(found[2]) < 10_000
        assert [question.path for question in upstream.questions] == ["/v1"]


def test_the_time_is_in_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((5.0, 5.25))
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    with ScriptedUpstream() as upstream:
        assert asked(upstream.base_url) == "answers (status 404) after 250 ms"


def test_the_body_is_not_awaited() -> None:
    with ScriptedUpstream() as upstream:
        upstream.answers["/v1"] = Reply(200, {}, (b"x", pause(threading.Event())))
        began = time.monotonic()
        assert "status 200" in asked(upstream.base_url)
        assert time.monotonic() - began < 5


def test_a_silent_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=rf"^{url} did not answer within 0\.2 seconds$"):
            asked(url)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(2, "No such file"), "No such file"),
        (ConfigError("HTTPS_PROXY names a SOCKS proxy"), "HTTPS_PROXY names a SOCKS proxy"),
        (ValueError("bad port"), "bad port"),
    ],
)
def test_a_connection_that_cannot_be_set_up_is_an_error(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> HttpClient:
        raise error

    monkeypatch.setattr(module, "http_client", fail)
    with pytest.raises(ModelError) as caught:
        asked("https://p/v1")
    assert str(caught.value) == f"https://p/v1 cannot be reached: {words}"


def test_an_untrusted_certificate_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = ssl.SSLCertVerificationError(1, "verify failed")
    problem.verify_message = "self-signed certificate"

    async def refuse(*_arguments: Any) -> HttpResponse:
        raise ConnectError("failed") from problem

    monkeypatch.setattr(HttpClient, "send", refuse)
    with pytest.raises(ModelError) as caught:
        asked("https://p/v1")
    assert str(caught.value).startswith(
        "https://p/v1 cannot be reached: its certificate is not trusted (self-signed certificate): set SSL_CERT_FILE"
    )


def test_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedUpstream() as upstream:

        async def main() -> None:
            before = set(Path("/dev/fd").iterdir())
            await reach(Provider("p", "P", upstream.base_url))
            with anyio.fail_after(30):
                while set(Path("/dev/fd").iterdir()) - before:  # noqa: ASYNC110 - the server closes its end in a thread
                    await anyio.sleep(0.01)

        anyio.run(main)


def test_the_client_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[HttpClient] = []

    async def client(*arguments: Any) -> HttpClient:
        clients.append(await http_client(*arguments))
        return clients[-1]

    monkeypatch.setattr(module, "http_client", client)
    with ScriptedUpstream() as upstream:
        asked(upstream.base_url)
    assert [one.is_closed for one in clients] == [True]


def test_a_host_that_no_request_can_go_to_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"^https://münchen\.example/v1 cannot be reached: its host is not"):
        asked("https://münchen.example/v1")


def test_the_proxy_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://host:1")
    with pytest.raises(ModelError, match="SOCKS"):
        asked("https://models.invalid/v1")
