"""What every wire shares, on a real socket."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.model import http as http_module
from code_core.model.catalog import ModelTraits
from code_core.model.chat import ChatWire
from code_core.model.http import HttpModelClient, Wire
from code_core.model.providers import Provider
from code_core.model.record import Recorder
from code_core.model.replay import ReplayClient, load_scenario
from code_core.model.responses import ResponsesWire
from code_core.protocol.items import InputText, Message, Reasoning
from code_core.protocol.policies import WireApi
from code_core.wire import response_bounds
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import Completed, ItemDone, ResponseEvent
from code_core.wire.tool_specs import FunctionSpec
from core.wire.chat_reading import shape
from support import Reply, ScriptedUpstream, chat_stream, pause, reply, stream
from support import chat_chunks as chat
from support import responses_events as sse

KEY = b"key-of-a-test-0123456789"
PROMPT = Prompt(
    ModelSettings("m"),
    "conversation",
    "be good",
    [Message(role="user", content=[InputText(text="hi")])],
    [FunctionSpec("f", "", {"type": "object"})],
)
ANSWER = chat_stream(chat.role(), chat.text("Hi"), chat.finish(), chat.usage())
WIRES: dict[WireApi, Reply] = {
    "responses": stream(sse.created(), sse.message("Hi"), sse.completed()),
    "chat": ANSWER,
}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream() as upstream:
        yield upstream


def provider(url: str, **more: Any) -> Provider:
    return Provider(
        **({"id": "p", "name": "P", "base_url": url, "wire_api": "chat", "env_key": "MINE"} | more)
    )


def wire(of: Provider) -> Wire:
    return ChatWire(of) if of.wire_api == "chat" else ResponsesWire(of)


def ask(of: Provider, times: int = 1, recorder: Recorder | None = None) -> list[ResponseEvent]:
    """The events of all answers; raises what the client raises."""
    events: list[ResponseEvent] = []

    async def main() -> None:
        client = HttpModelClient(of, wire(of), {b"MINE": KEY}, recorder)
        try:
            for _ in range(times):
                async with client.stream(PROMPT) as answer:
                    events.extend([event async for event in answer])
        finally:
            await client.aclose()

    anyio.run(main)
    return events


@pytest.mark.parametrize("api", WIRES)
def test_each_wire_sends_requests_and_reads_responses(upstream: ScriptedUpstream, api: WireApi) -> None:
    upstream.add(WIRES[api])
    events = ask(
        provider(upstream.base_url, wire_api=api, query_params={"v": "1"}, http_headers={"X-A": "b"})
    )
    assert [
        event.item.text for event in events if isinstance(event, ItemDone) and isinstance(event.item, Message)
    ] == ["Hi"]
    [request] = upstream.requests
    assert request.path == {"responses": "/v1/responses", "chat": "/v1/chat/completions"}[api]
    assert request.query == {"v": "1"}
    assert request.headers["Authorization"] == f"Bearer {KEY.decode()}"
    assert request.headers["X-A"] == "b"
    assert request.headers["conversation_id"] == "conversation"
    assert ("openai-beta" in request.headers) == (api == "responses")
    upstream.assert_finished()


def test_a_response_in_a_format_that_nobody_requested_is_permanent_unless_its_status_is_not() -> None:
    for status, kind, words in (
        (200, RequestRefused, "compressed its answer ('br'), although it was asked not to (check any proxy"),
        (503, StreamBroken, "503"),
    ):
        with ScriptedUpstream() as upstream:
            upstream.add(reply(status, body="x", headers={"Content-Encoding": "br"}))
            with pytest.raises(ModelError, match=re.escape(words)) as caught:
                ask(provider(upstream.base_url))
            assert type(caught.value) is kind
            assert caught.value.code == "provider"
            upstream.assert_finished()


@pytest.mark.parametrize("api", WIRES)
def test_the_number_of_the_request_grows(upstream: ScriptedUpstream, api: WireApi) -> None:
    upstream.add(WIRES[api], WIRES[api])
    events = ask(provider(upstream.base_url, wire_api=api), times=2)
    assert [
        event.order.request_ordinal for event in events if isinstance(event, ItemDone) and event.order
    ] == [1, 2]


@pytest.mark.parametrize("status", [400, 422])
def test_a_rejected_field_is_left_out_from_then_on(upstream: ScriptedUpstream, status: int) -> None:
    refused = reply(status, body={"error": {"message": "Extra inputs are not permitted: stream_options"}})
    again = reply(status, body={"detail": [{"loc": ["body", "parallel_tool_calls"], "msg": "extra fields"}]})
    upstream.add(refused, again, ANSWER, ANSWER)
    assert shape(ask(provider(upstream.base_url), times=2)) == ["Hi", (10, 0, 5)] * 2
    sent = [
        ("stream_options" in request.json, "parallel_tool_calls" in request.json)
        for request in upstream.requests
    ]
    assert sent == [(True, True), (False, True), (False, False), (False, False)]


@pytest.mark.parametrize(
    "answer",
    [
        reply(400, body={"error": {"message": "messages: bad"}}),
        reply(
            400, body={"error": {"message": "reasoning_effort is not for this model"}}
        ),  # which was not sent
        reply(403, body={"error": {"message": "stream_options"}}),
        reply(400, body={"error": {"message": "my_stream_options_x"}}),
    ],
)
def test_other_rejections_are_errors_immediately(upstream: ScriptedUpstream, answer: Reply) -> None:
    upstream.add(answer)
    with pytest.raises(RequestRefused, match=r"^P \(http"):
        ask(provider(upstream.base_url))
    assert len(upstream.requests) == 1


def test_a_field_is_rejected_only_once(upstream: ScriptedUpstream) -> None:
    refused = reply(400, body={"error": {"message": "stream_options"}})
    upstream.add(refused, refused)
    with pytest.raises(RequestRefused, match="stream_options"):
        ask(provider(upstream.base_url))
    assert len(upstream.requests) == 2


def test_a_model_without_tools_is_an_error_with_advice(upstream: ScriptedUpstream) -> None:
    # github.com/aaif-goose/goose/issues/2314: Ollama's answer for phi4 and others.
    upstream.add(
        reply(400, body={"error": {"message": "registry.ollama.ai/library/m does not support tools"}})
    )
    with pytest.raises(
        RequestRefused, match=r'does not support tools\. To continue, .* set models\."m"\.tool_form'
    ):
        ask(provider(upstream.base_url))


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "the request exceeds the available context size. try increasing the context size",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096",
        "The number of tokens to keep from the initial prompt is greater than the context length",
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_that_is_too_long_is_recognised_by_the_message(
    upstream: ScriptedUpstream, message: str, status: int
) -> None:
    upstream.add(reply(status, body={"error": {"message": message}}))
    with pytest.raises(ContextWindowExceeded):
        ask(provider(upstream.base_url))


def test_a_missing_model_is_an_error_that_lists_the_available_ones(upstream: ScriptedUpstream) -> None:
    upstream.add(reply(404, body={"error": {"message": "model 'm' not found", "type": "not_found_error"}}))
    listed = {
        "data": [{"id": f"model-{number:02}"} for number in range(14)] + [{"id": "evil\x1b[2J"}, {"id": 5}, 7]
    }
    upstream.answers["/v1/models"] = reply(200, body=listed)
    with pytest.raises(RequestRefused) as caught:
        ask(provider(upstream.base_url))
    words = str(caught.value)
    assert "model 'm' not found. Models there: " in words
    assert "model-10" in words
    assert words.endswith("and 3 more")
    assert "\x1b" not in words
    [question] = upstream.questions
    assert question.headers["Authorization"] == f"Bearer {KEY.decode()}"


@pytest.mark.parametrize(
    "answer",
    [
        reply(404, body={"error": {"message": "no route"}}),
        reply(401, body={"error": {"message": "model not found"}}),
    ],
)
def test_models_are_listed_only_where_one_is_missing(upstream: ScriptedUpstream, answer: Reply) -> None:
    upstream.add(answer)
    with pytest.raises(RequestRefused):
        ask(provider(upstream.base_url))
    assert upstream.questions == []


@pytest.mark.parametrize(
    "listed",
    [reply(500, body="x"), reply(200, body="no json"), reply(200, body=[1]), reply(200, body={"data": 5})],
)
def test_a_failure_to_list_the_models_is_not_another_error(upstream: ScriptedUpstream, listed: Reply) -> None:
    upstream.add(reply(404, body={"error": {"message": "model not found"}}))
    upstream.answers["/v1/models"] = listed
    with pytest.raises(RequestRefused, match=r"model not found$"):
        ask(provider(upstream.base_url))


def test_a_local_server_that_is_not_running_is_an_immediate_error_with_advice() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(RequestRefused, match=r"cannot be reached: .*Start it with: ollama serve$"):
            ask(provider(url, server="ollama"))
        for of in (provider(url), provider(url.replace("127.0.0.1", "0.0.0.0"), server="ollama")):  # noqa: S104 - an address that does not count as this machine
            with pytest.raises(StreamBroken, match="cannot be reached") as caught:
                ask(of)
            assert not caught.value.opened


@pytest.mark.parametrize(
    ("api", "answer", "origin"),
    [
        (
            "responses",
            stream(sse.created(), sse.reasoning("Hm", "x"), sse.message("Hi"), sse.completed()),
            "p",
        ),
        ("chat", chat_stream(chat.reasoning("Hm"), chat.text("Hi"), chat.finish()), "p/m"),
    ],
)
def test_reasoning_records_its_origin(
    upstream: ScriptedUpstream, api: WireApi, answer: Reply, origin: str
) -> None:
    upstream.add(answer)
    items = [
        event.item for event in ask(provider(upstream.base_url, wire_api=api)) if isinstance(event, ItemDone)
    ]
    assert [item.origin for item in items if isinstance(item, Reasoning)] == [origin]


def test_the_remainder_of_a_complete_answer_is_not_awaited(
    upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "REST_SECONDS", 0.1)
    never = threading.Event()
    upstream.add(chat_stream(chat.text("Hi"), chat.finish(), pause(never)))
    started = time.monotonic()
    assert shape(ask(provider(upstream.base_url, stream_idle_timeout=30.0))) == ["Hi"]
    assert time.monotonic() - started < 10
    never.set()


def test_a_stream_that_breaks_after_its_end_is_complete(upstream: ScriptedUpstream) -> None:
    upstream.add(chat_stream(chat.text("Hi"), chat.finish(), disconnect=True))
    assert shape(ask(provider(upstream.base_url))) == ["Hi"]


@pytest.mark.parametrize(
    "answer",
    [
        chat_stream(chat.text("Hi"), disconnect=True),
        chat_stream(chat.text("Hi"), chat.call("f", '{"a', "1"), done=False),
    ],
)
def test_a_stream_that_breaks_before_its_end_is_incomplete(upstream: ScriptedUpstream, answer: Reply) -> None:
    upstream.add(answer)
    with pytest.raises(StreamBroken, match=r"^P \(http") as caught:
        ask(provider(upstream.base_url))
    assert caught.value.opened


def test_a_silent_stream_is_broken_after_its_idle_time(upstream: ScriptedUpstream) -> None:
    never = threading.Event()
    upstream.add(chat_stream(chat.text("Hi"), pause(never)))
    with pytest.raises(StreamBroken, match=r"sent nothing for 0\.2 seconds"):
        ask(provider(upstream.base_url, stream_idle_timeout=0.2))
    never.set()


def test_a_whole_completion_instead_of_a_stream_is_accepted(upstream: ScriptedUpstream) -> None:
    whole = {
        "object": "chat.completion",
        "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
    }
    upstream.add(reply(200, body=whole, headers={"Content-Type": "application/json"}))
    assert shape(ask(provider(upstream.base_url))) == ["Hi"]


@pytest.mark.parametrize("body", [{"error": {"message": "no room"}}, {"output": []}, "text"])
def test_any_other_body_is_an_error(upstream: ScriptedUpstream, body: Any) -> None:
    upstream.add(reply(200, body=body, headers={"Content-Type": "application/json"}))
    with pytest.raises(ModelError, match=r"^P \(http"):
        ask(provider(upstream.base_url))


@pytest.mark.parametrize("api", WIRES)
def test_a_recording_names_its_wire_and_replays(
    upstream: ScriptedUpstream, tmp_path: Path, api: WireApi
) -> None:
    upstream.add(WIRES[api])
    path = tmp_path / "recorded"
    live = ask(provider(upstream.base_url, wire_api=api), recorder=Recorder(path, {}, api))
    assert f'"wire":"{api}"' in path.read_text()
    replayed: list[ResponseEvent] = []

    async def replay() -> None:
        async with ReplayClient(load_scenario(path)).stream(PROMPT) as events:
            replayed.extend([event async for event in events])

    anyio.run(replay)
    assert shape(replayed) == shape(live)
    assert isinstance(replayed[-1], Completed)


def test_a_recording_does_not_contain_a_key_that_is_split_between_deltas(
    upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    key = KEY.decode()
    upstream.add(
        chat_stream(
            chat.text(f"it is {key}!"),
            chat.reasoning(key[:9]),
            chat.reasoning(key[9:]),
            chat.call("f", f'{{"a":"{key[:5]}', "1"),
            chat.arguments(f'{key[5:]}"}}'),
            chat.finish("tool_calls"),
        )
    )
    path = tmp_path / "recorded"
    ask(provider(upstream.base_url), recorder=Recorder(path, {}, "chat", KEY))
    recorded = path.read_text()
    assert "it is [REDACTED]!" in recorded
    for piece in (key, key[:9], key[9:], key[5:]):
        assert piece not in recorded


def test_a_given_key_overrides_the_environment(upstream: ScriptedUpstream) -> None:
    upstream.add(ANSWER)
    of = provider(upstream.base_url)

    async def main() -> None:
        client = HttpModelClient(of, wire(of), {}, key=b"held")
        async with client.stream(PROMPT) as events:
            assert [event async for event in events]
        await client.aclose()

    anyio.run(main)
    assert upstream.requests[0].headers["Authorization"] == "Bearer held"


def test_no_error_shows_the_key(upstream: ScriptedUpstream) -> None:
    upstream.add(reply(401, body={"error": {"message": "bad key"}}))
    with pytest.raises(RequestRefused, match=r"Check the API key in MINE") as caught:
        ask(provider(upstream.base_url))
    assert KEY.decode() not in repr(caught.value) + str(caught.value)


def test_the_provider_has_the_traits_of_its_server() -> None:
    local = replace(provider("http://localhost:1/v1"), server="vllm", traits=ModelTraits(images=False))
    assert local.fallback_window == 8_192
    assert provider("http://localhost:1/v1").fallback_window is None
    assert local.start_hint.startswith("Start it with: vllm serve MODEL")


@pytest.mark.parametrize("api", WIRES)
def test_a_response_with_too_many_items_is_an_error_of_its_provider(
    api: WireApi, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_bounds, "MOST_ITEMS", 0)
    upstream.add(WIRES[api])
    with pytest.raises(RequestRefused, match=r"^P \(http://.*\): the response has more than 0 items"):
        ask(provider(upstream.base_url, wire_api=api))
