"""What local servers report about their models' windows."""

import json
import socket
import threading
import time
from typing import Any

import anyio
import pytest

from code_core.model import served
from code_core.model.http_client import HttpClient
from code_core.model.network import http_client
from code_core.model.providers import Provider, ServerKind
from code_core.model.refusals import Answer
from code_core.model.served import names_a_model, served_models, served_window
from support import Reply, ScriptedUpstream, pause, reply

Answers = dict[str, Any]
# The shapes: ollama docs/api.md ("List running models"), lmstudio.ai/docs/api/rest-api, vLLM's /v1/models,
# tools/server/README.md of llama.cpp.
WINDOWS: dict[str, tuple[ServerKind, Answers, int | None]] = {
    "Ollama, loaded": (
        "ollama",
        {
            "/api/ps": {
                "models": [{"name": "x:1", "context_length": 1}, {"name": "m", "context_length": 4096}]
            }
        },
        4096,
    ),
    "Ollama, not loaded": ("ollama", {"/api/ps": {"models": [{"name": "x", "context_length": 1}]}}, None),
    "Ollama, by its other name": (
        "ollama",
        {"/api/ps": {"models": [{"model": "m", "context_length": 7}]}},
        7,
    ),
    "LM Studio": (
        "lmstudio",
        {
            "/api/v0/models": {
                "data": [{"id": "x"}, {"id": "m", "loaded_context_length": 8192, "max_context_length": 9}]
            }
        },
        8192,
    ),
    "LM Studio, not loaded": (
        "lmstudio",
        {"/api/v0/models": {"data": [{"id": "m", "max_context_length": 9}]}},
        None,
    ),
    "vLLM": ("vllm", {"/v1/models": {"data": [{"id": "m", "max_model_len": 32768}]}}, 32768),
    "vLLM, the only model under another name": (
        "vllm",
        {"/v1/models": {"data": [{"id": "y", "max_model_len": 5}]}},
        5,
    ),
    "vLLM, one of several": (
        "vllm",
        {"/v1/models": {"data": [{"id": "y", "max_model_len": 5}, {"id": "z", "max_model_len": 6}]}},
        None,
    ),
    "llama.cpp": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": 8192}}}, 8192),
    "llama.cpp, something else": ("llamacpp", {"/props": {"default_generation_settings": 5}}, None),
    "no number": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": "8"}}}, None),
    "no tokens": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": 0}}}, None),
    "one token": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": 1}}}, 1),
    "no size": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": -1}}}, None),
    "a list": ("llamacpp", {"/props": [1]}, None),
    "nothing": ("ollama", {}, None),
    "models that are not a list": ("ollama", {"/api/ps": {"models": 5}}, None),
}


def window(url: str, server: ServerKind | None) -> int | None:
    return anyio.run(served_window, Provider("p", "P", url, wire_api="chat", server=server), "m", {})


@pytest.mark.parametrize("name", WINDOWS)
def test_the_window_is_that_of_the_loaded_model(name: str) -> None:
    server, answers, size = WINDOWS[name]
    with ScriptedUpstream() as upstream:
        upstream.answers = {path: reply(200, body=body) for path, body in answers.items()}
        assert window(upstream.base_url, server) == size
        assert len(upstream.questions) == 1


def test_a_server_that_hangs_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "SECONDS", 0.2)
    never = threading.Event()
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = Reply(200, {}, (b"{", pause(never)))
        started = time.monotonic()
        assert window(upstream.base_url, "llamacpp") is None
        assert time.monotonic() - started < 5
        never.set()


def test_a_very_slow_server_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "SECONDS", 0.2)
    whole = b'{"default_generation_settings": {"n_ctx": 1}}'
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = Reply(
            200, {}, (*[part for _ in range(8) for part in (b" ", pause(0.1))], whole)
        )
        assert window(upstream.base_url, "llamacpp") is None


def test_an_answer_of_the_longest_size_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    body = '{"default_generation_settings": {"n_ctx": 7}}'
    monkeypatch.setattr(served, "MOST_BYTES", len(body))
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = reply(200, body=body)
        assert window(upstream.base_url, "llamacpp") == 7
        upstream.answers["/props"] = reply(200, body=body + " ")
        assert window(upstream.base_url, "llamacpp") is None


@pytest.mark.parametrize("body", ["no json", "[" * 100_000, "\ud800"])
def test_an_unreadable_answer_counts_as_unknown(body: str) -> None:
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = Reply(200, {}, (body.encode("utf-8", "surrogatepass"),))
        assert window(upstream.base_url, "llamacpp") is None


def test_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    clients: list[HttpClient] = []

    async def client(*arguments: Any) -> HttpClient:
        clients.append(await http_client(*arguments))
        return clients[-1]

    monkeypatch.setattr(served, "http_client", client)
    with ScriptedUpstream() as upstream:
        window(upstream.base_url, "llamacpp")
    assert [one.is_closed for one in clients] == [True]


def test_with_unreadable_certificates_the_window_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unreadable(*_arguments: Any) -> HttpClient:
        raise OSError("no certificates")

    monkeypatch.setattr(served, "http_client", unreadable)
    assert window("https://localhost:1/v1", "llamacpp") is None


def test_a_host_that_no_request_can_go_to_serves_nothing() -> None:
    async def main(url: str) -> list[str]:
        async with await http_client(url, {}, 5) as http:
            return await served_models(http, Provider("p", "P", url), {})

    assert anyio.run(main, "http://münchen.example/v1") == []


def test_the_servers_url_may_have_a_path() -> None:
    with ScriptedUpstream() as upstream:
        answer = reply(200, body={"default_generation_settings": {"n_ctx": 7}})
        upstream.answers = {"/X/props": answer}
        for path in ("/X/", "/X/v1", "/X/v1/"):
            assert window(upstream.base_url.replace("/v1", path), "llamacpp") == 7


@pytest.mark.parametrize(
    ("status", "message", "names"),
    [
        (404, "Model 'm' not found", True),
        (400, "model m does not exist", True),
        (400, "Model is not loaded", True),
        (404, "no models are loaded", True),
        (400, "Invalid model name", True),
        (404, "page not found", False),
        (400, "the model is busy", False),
        (401, "model not found", False),
        (405, "model not found", False),
    ],
)
def test_a_missing_model_is_recognised_by_the_message(status: int, message: str, names: bool) -> None:
    body = json.dumps({"error": {"message": message}})
    assert names_a_model(Answer(status, {}, body)) is names
    assert names_a_model(Answer(status, {}, message)) is names


def test_a_missing_model_is_recognised_by_the_code() -> None:
    for field in ("code", "type"):
        body = json.dumps({"error": {field: "model_not_found", "message": "sorry"}})
        assert names_a_model(Answer(404, {}, body))


def listed(answer: Reply) -> list[str]:
    async def main(url: str) -> list[str]:
        async with await http_client(url, {}, 5) as http:
            return await served_models(http, Provider("p", "P", f"{url}/"), {b"x-a": b"b"})

    with ScriptedUpstream() as upstream:
        upstream.answers["/v1/models"] = answer
        names = anyio.run(main, upstream.base_url)
        assert upstream.questions[0].headers["x-a"] == "b"
        return names


def test_the_error_lists_some_models() -> None:
    def names(count: int) -> list[str]:
        return listed(reply(200, body={"data": [{"id": f"m{number:02}"} for number in range(count)]}))

    assert names(12) == [f"m{number:02}" for number in range(12)]
    assert names(13) == [*[f"m{number:02}" for number in range(12)], "and 1 more"]
    assert listed(reply(200, body={"data": [{"id": "x" * 90}]})) == ["x" * 80 + "…"]

    assert listed(reply(200, body={"data": [{"id": "a"}, {"id": 5}, {}, 7]})) == ["a"]


def test_a_list_that_breaks_off_or_does_not_come_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    assert listed(Reply(200, {}, (b'{"data": [',), disconnect=True)) == []
    monkeypatch.setattr(served, "SECONDS", 0.2)
    assert listed(Reply(200, {}, (b'{"data": [', pause(threading.Event())))) == []


def test_a_server_that_floods_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "MOST_BYTES", 100)
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = reply(
            200, body={"default_generation_settings": {"n_ctx": 1, "x": "y" * 200}}
        )
        assert window(upstream.base_url, "llamacpp") is None


def test_only_known_local_servers_are_asked() -> None:
    with ScriptedUpstream() as upstream:
        assert window(upstream.base_url, None) is None
        assert upstream.questions == []
        elsewhere = upstream.base_url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - does not count as this machine
        assert window(elsewhere, "vllm") is None
        assert upstream.questions == []


def test_a_server_that_does_not_run_reports_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert window(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "ollama") is None
