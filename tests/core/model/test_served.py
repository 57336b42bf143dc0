"""What servers of this machine say of their models' windows."""

import socket
import threading
import time
from typing import Any

import anyio
import pytest

from code_core.model import served
from code_core.model.providers import Provider, ServerKind
from code_core.model.served import served_window
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
    "no size": ("llamacpp", {"/props": {"default_generation_settings": {"n_ctx": -1}}}, None),
    "a list": ("llamacpp", {"/props": [1]}, None),
    "nothing": ("ollama", {}, None),
    "models that are no list": ("ollama", {"/api/ps": {"models": 5}}, None),
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


def test_a_server_that_floods_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "MOST_BYTES", 100)
    with ScriptedUpstream() as upstream:
        upstream.answers["/props"] = reply(
            200, body={"default_generation_settings": {"n_ctx": 1, "x": "y" * 200}}
        )
        assert window(upstream.base_url, "llamacpp") is None


def test_nobody_is_asked_who_is_not_known_or_not_here() -> None:
    with ScriptedUpstream() as upstream:
        assert window(upstream.base_url, None) is None
        assert upstream.questions == []
    assert window("http://models.invalid/v1", "vllm") is None


def test_a_server_that_is_not_there_says_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert window(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "ollama") is None
