"""What every request contains, and how failed ones are handled."""

import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from code_core.errors import ConfigError, ModelError, RequestRefused, StreamBroken
from code_core.model import http as http_module
from code_core.model.chat import ChatWire
from code_core.model.errors import ConnectError
from code_core.model.http import HttpModelClient
from code_core.model.http_client import HttpClient, HttpResponse
from code_core.model.key_proxy import Endpoint, KeyProxy
from code_core.model.network import http_client
from code_core.model.providers import Provider
from code_core.model.record import Recorder
from code_core.model.request_log import RequestLog
from code_core.model.retry import RetryLimits
from code_core.protocol.items import InputText, Message
from code_core.version import USER_AGENT, VERSION
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import RateLimits, ResponseEvent
from core.wire.chat_reading import shape
from support import Reply, ScriptedUpstream, chat_stream, pause, reply
from support import chat_chunks as chat

PROMPT = Prompt(
    ModelSettings("m"), "conversation", "be good", [Message(role="user", content=[InputText(text="hi")])]
)
NEVER = threading.Event()
ANSWER = chat_stream(chat.role(), chat.text("Hi"), chat.finish(), chat.usage())


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def provider(url: str, **more: Any) -> Provider:
    return Provider(**({"id": "p", "name": "P", "base_url": url, "wire_api": "chat"} | more))


def ask(of: Provider, times: int = 1, **more: Any) -> list[ResponseEvent]:
    """The events of all answers; raises what the client raises."""
    events: list[ResponseEvent] = []

    async def main() -> None:
        client = HttpModelClient(of, ChatWire(of), **({"environ": {}} | more))
        try:
            for _ in range(times):
                async with client.stream(PROMPT) as answer:
                    events.extend([event async for event in answer])
        finally:
            await client.aclose()

    anyio.run(main)
    return events


class Clients:
    """The HTTP clients that were made, and the responses that they got."""

    def __init__(self) -> None:
        self.clients: list[HttpClient] = []
        self.responses: list[HttpResponse] = []

    async def __call__(self, url: str, environ: Any, connect_seconds: float) -> HttpClient:
        client = await http_client(url, environ, connect_seconds)
        await anyio.sleep(0.01)  # others run before the client is used
        send = client.send

        async def noting(*arguments: Any) -> HttpResponse:
            self.responses.append(await send(*arguments))
            return self.responses[-1]

        client.send = noting  # type: ignore[method-assign, assignment] # to watch it
        self.clients.append(client)
        return client


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Clients:
    clients = Clients()
    monkeypatch.setattr(http_module, "http_client", clients)
    return clients


def test_concurrent_requests_share_one_client(upstream: ScriptedUpstream, clients: Clients) -> None:
    upstream.add(ANSWER, ANSWER)
    of = provider(upstream.base_url)

    async def main() -> None:
        client = HttpModelClient(of, ChatWire(of), environ={})

        async def one() -> None:
            async with client.stream(PROMPT) as answer:
                assert [event async for event in answer]

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(one)
                tasks.start_soon(one)
        await client.aclose()

    anyio.run(main)
    assert len(clients.clients) == 1


def test_a_request_identifies_the_program_and_the_session(upstream: ScriptedUpstream) -> None:
    upstream.add(ANSWER)
    ask(provider(upstream.base_url))
    headers = {name.lower(): value for name, value in upstream.requests[0].headers.items()}
    for name in ("host", "connection", "content-length"):
        del headers[name]
    assert headers == {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "conversation_id": "conversation",
        "session_id": "conversation",
        "originator": "code_py",
        "user-agent": USER_AGENT,
        "version": VERSION,
    }


def test_the_retry_limits_come_from_the_provider() -> None:
    of = provider("http://127.0.0.1:1/v1", request_max_retries=1, stream_max_retries=2)
    assert HttpModelClient(of, ChatWire(of), {}).retry_limits == RetryLimits(1, 2)


def test_an_unusable_proxy_is_reported_immediately() -> None:
    of = provider("https://models.invalid/v1")
    with pytest.raises(ConfigError, match="SOCKS"):
        HttpModelClient(of, ChatWire(of), {b"HTTPS_PROXY": b"socks5://host:1"})


def test_usage_limits_come_first(upstream: ScriptedUpstream) -> None:
    limited = chat_stream(chat.text("Hi"), chat.finish())
    limited.headers["x-codex-primary-used-percent"] = "12.5"
    upstream.add(limited, ANSWER)
    events = ask(provider(upstream.base_url), times=2)
    assert events[0] == RateLimits({"primary": {"used_percent": 12.5}})
    assert sum(isinstance(event, RateLimits) for event in events) == 1


def test_each_request_is_logged(upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "code_core")
    named = chat_stream(chat.text("Hi"), chat.finish())
    named.headers["x-request-id"] = "r-1"
    upstream.add(ANSWER, named)
    ask(provider(upstream.base_url), times=2)
    first, second = (one for one in caplog.messages if one.startswith("request "))
    assert first.startswith("request 1: POST 127.0.0.1 /v1/chat/completions status=200 request_id=none sent=")
    size = sum(len(part) for part in named.parts if isinstance(part, bytes))
    assert f"status=200 request_id=r-1 sent={len(upstream.requests[1].body)} received={size} " in second
    assert second.startswith("request 2: ")


def test_the_log_has_the_times(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "code_core")
    clock = iter([1.0, 2.5, 5.0, 1.0, 3.0])
    monkeypatch.setattr("code_core.model.request_log.time", SimpleNamespace(monotonic=lambda: next(clock)))
    answered = RequestLog("https://p/x", 1, 0)
    answered.answered(200, None)
    answered.ended()
    RequestLog("https://p/x", 2, 0).ended()
    first, second = caplog.messages
    assert first.endswith(" answered_after=1.500s took=4.000s")
    assert second.endswith(" answered_after=2.000s took=2.000s")


def test_a_request_without_an_answer_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "code_core")
    with pytest.raises(StreamBroken):
        ask(provider("http://127.0.0.1:1/v1"))
    (line,) = (one for one in caplog.messages if one.startswith("request "))
    assert "status=none request_id=none" in line
    assert "received=0" in line


def test_connections_and_the_recording_are_closed(
    upstream: ScriptedUpstream, clients: Clients, tmp_path: Path
) -> None:
    upstream.add(ANSWER, reply(403, body="no"))
    of = provider(upstream.base_url)
    before = sorted(Path("/dev/fd").iterdir())
    recorder = Recorder(tmp_path / "r", {}, "chat")
    ask(of, recorder=recorder)
    late = time.monotonic() + 5
    while (left := sorted(Path("/dev/fd").iterdir())) != before and time.monotonic() < late:
        time.sleep(0.01)  # the server, a thread of this process, closes its side a moment later
    assert left == before
    with pytest.raises(RequestRefused):
        ask(of)
    assert [client.is_closed for client in clients.clients] == [True, True]
    assert [response.is_closed for response in clients.responses] == [True, True]
    assert clients.clients[0].route.seconds == 30


def test_a_refused_request_releases_its_connection(upstream: ScriptedUpstream, clients: Clients) -> None:
    upstream.add(Reply(403, {}, (b"x" * 70_000, pause(NEVER))))
    of = provider(upstream.base_url)

    async def main() -> None:
        client = HttpModelClient(of, ChatWire(of), {})
        with pytest.raises(RequestRefused):
            async with client.stream(PROMPT):
                pass
        assert clients.responses[0].is_closed
        await client.aclose()

    anyio.run(main)


def test_leaving_the_context_closes_the_response(upstream: ScriptedUpstream, clients: Clients) -> None:
    upstream.add(chat_stream(chat.text("Hi"), pause(NEVER)))
    of = provider(upstream.base_url)

    async def main() -> None:
        client = HttpModelClient(of, ChatWire(of), {})
        with anyio.CancelScope() as scope:
            async with client.stream(PROMPT) as events:
                await anext(events)
                scope.cancel()
                await anyio.sleep_forever()
        assert clients.responses[0].is_closed
        assert [event async for event in events] == []
        await client.aclose()

    anyio.run(main)


def test_an_unread_response_is_closed(upstream: ScriptedUpstream, clients: Clients) -> None:
    upstream.add(chat_stream(chat.text("Hi"), pause(NEVER)))
    of = provider(upstream.base_url)

    async def main() -> None:
        client = HttpModelClient(of, ChatWire(of), {})
        async with client.stream(PROMPT):
            pass
        assert clients.responses[0].is_closed
        await client.aclose()

    anyio.run(main)


def test_an_error_that_arrives_with_the_end_is_ignored(upstream: ScriptedUpstream) -> None:
    end = b'data: [DONE]\n\ndata: {"error": {"message": "too late"}}\n\n'
    upstream.add(chat_stream(chat.text("Hi"), chat.finish(), end))
    assert shape(ask(provider(upstream.base_url))) == ["Hi"]


def test_nothing_is_read_after_the_end(upstream: ScriptedUpstream) -> None:
    upstream.add(chat_stream(chat.text("Hi"), chat.finish(), b"data: [DONE]\n\n", pause(NEVER)))
    started = time.monotonic()
    assert shape(ask(provider(upstream.base_url))) == ["Hi"]
    assert time.monotonic() - started < 4


def test_an_incomplete_answer_may_be_slow(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "REST_SECONDS", 0.05)
    upstream.add(chat_stream(chat.text("H"), pause(0.3), chat.text("i"), chat.finish()))
    assert shape(ask(provider(upstream.base_url))) == ["Hi"]


def test_a_silent_server_times_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        of = provider(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", stream_idle_timeout=0.2)
        with pytest.raises(StreamBroken, match=r"^P \(http.*\) did not answer$") as caught:
            ask(of)
    assert not caught.value.opened


@pytest.mark.parametrize("error", [OSError(2, "No such file"), ValueError("No such file")])
def test_settings_with_which_no_connection_is_possible_are_an_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> HttpClient:
        raise error

    monkeypatch.setattr(http_module, "http_client", fail)
    with pytest.raises(RequestRefused) as caught:
        ask(provider("http://127.0.0.1:1/v1"))
    assert caught.value.code == "provider"
    assert str(caught.value) == (
        "P (http://127.0.0.1:1/v1): cannot set up a connection: No such file "
        "(check SSL_CERT_FILE and SSL_CERT_DIR)"
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:abc/v1", "ftp://127.0.0.1/v1"])
def test_an_invalid_address_is_an_error(url: str) -> None:
    with pytest.raises(RequestRefused, match="is not a valid URL") as caught:
        ask(provider(url))
    assert caught.value.code == "provider"


def test_an_untrusted_certificate_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = ssl.SSLCertVerificationError(1, "verify failed")
    problem.verify_message = "self-signed certificate"

    async def refuse(*_arguments: Any) -> HttpResponse:
        raise ConnectError("failed") from problem

    monkeypatch.setattr(HttpClient, "send", refuse)
    with pytest.raises(RequestRefused) as caught:
        ask(provider("https://models.invalid/v1"))
    assert str(caught.value).startswith(
        "P (https://models.invalid/v1): its certificate is not trusted (self-signed certificate): "
    )


def test_the_error_for_an_unreachable_local_server_says_how_to_start_it() -> None:
    with pytest.raises(RequestRefused, match="Start it with: ollama serve") as caught:
        ask(provider("http://127.0.0.1:1/v1", server="ollama"))
    assert caught.value.code == "provider"


@pytest.mark.parametrize(
    ("key_proxy", "through"), [(None, " through the proxy 127.0.0.1:1"), ("http://127.0.0.1:1", "")]
)
def test_an_unreachable_provider_is_reported_with_the_proxy(key_proxy: str | None, through: str) -> None:
    held = None if key_proxy is None else Held(key_proxy)
    with pytest.raises(StreamBroken) as caught:
        ask(
            provider("http://models.invalid/v1"),
            environ={b"HTTP_PROXY": b"http://127.0.0.1:1"},
            key_proxy=held,
        )
    assert f"P (http://models.invalid/v1) cannot be reached{through}: " in str(caught.value)


class Held(KeyProxy):
    """Replaces the process that holds the key."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def endpoint(self) -> Endpoint:
        return Endpoint(f"{self._url}/chat/completions", b"Bearer token", {"v": "1"})


def test_with_a_key_proxy_requests_go_only_to_it(upstream: ScriptedUpstream) -> None:
    upstream.add(ANSWER, reply(502, body={"error": {"type": "proxy_error", "message": "no connection to p"}}))
    of = provider("https://models.invalid/v1", env_key="MINE")
    environ = {b"HTTPS_PROXY": b"socks5://host:1"}  # the key's process uses it
    more: Any = {"key_proxy": Held(upstream.base_url), "environ": environ}
    assert shape(ask(of, **more))[0] == "Hi"
    (request,) = upstream.requests
    assert request.headers["Authorization"] == "Bearer token"
    assert request.query == {"v": "1"}
    with pytest.raises(StreamBroken) as caught:
        ask(of, **more)
    assert str(caught.value) == "P (https://models.invalid/v1) cannot be reached: no connection to p"


def test_a_proxy_error_of_the_provider_is_its_own(upstream: ScriptedUpstream) -> None:
    upstream.add(reply(502, body={"error": {"type": "proxy_error", "message": "no connection to p"}}))
    with pytest.raises(StreamBroken, match="answered 502"):
        ask(provider(upstream.base_url))


@pytest.mark.parametrize(
    ("parts", "limit", "words"),
    [
        ((b"busy", pause(NEVER)), 64, ": busy$"),
        ((b"busy", pause(NEVER)), 4, ": busy$"),
        ((b"busy", b" bees"), 4, ": busy$"),
        ((b"a \xff b",), 64, ": a \ufffd b$"),
    ],
)
def test_only_the_start_of_a_refusal_is_read(
    upstream: ScriptedUpstream,
    monkeypatch: pytest.MonkeyPatch,
    parts: tuple[Any, ...],
    limit: int,
    words: str,
) -> None:
    monkeypatch.setattr(http_module, "ERROR_BODY_LIMIT", limit)
    if limit > 4:
        monkeypatch.setattr(http_module, "CONNECT_TIMEOUT", 0.3)
    upstream.add(Reply(503, {}, parts))
    with pytest.raises(ModelError, match=words):
        ask(provider(upstream.base_url))
