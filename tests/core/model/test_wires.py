"""The two wires, without a socket."""

import json
from dataclasses import replace
from typing import Any

import pytest

from code_core.model.chat import ChatWire
from code_core.model.http import Wire
from code_core.model.providers import Provider
from code_core.model.refusals import Answer
from code_core.model.responses import ResponsesWire
from code_core.protocol.items import InputText, Message, Reasoning
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.response_events import Completed, ItemDone
from code_core.wire.sse import SseEvent
from code_core.wire.tool_specs import FunctionSpec
from support import chat_chunks as chat
from support import responses_events as sse

PROVIDER = Provider("p", "P", "https://p.example/v1")
PROMPT = Prompt(
    ModelSettings("m"),
    "conversation",
    "be good",
    [Message(role="user", content=[InputText(text="hi")])],
    [FunctionSpec("f", "", {"type": "object"})],
)
OPTIONAL = ("stream_options", "parallel_tool_calls")


def body(wire: Wire) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(wire.request(PROMPT))
    return written


def refused(status: int, text: str) -> Answer:
    return Answer(status, {}, text)


@pytest.mark.parametrize(
    ("url", "beta"),
    [
        ("https://api.openai.com/v1", "responses=v1"),
        ("https://api.openai.com.evil.example/v1", "responses=experimental"),
        ("https://p.example/v1", "responses=experimental"),
    ],
)
def test_the_responses_wire_sends_its_version(url: str, beta: str) -> None:
    assert ResponsesWire(Provider("p", "P", url)).headers == {"openai-beta": beta}


def test_the_chat_wire_has_no_headers_of_its_own() -> None:
    assert ChatWire(PROVIDER).headers == {}


def test_responses_are_stored_for_azure() -> None:
    assert body(ResponsesWire(PROVIDER))["store"] is False
    azure = Provider("azure", "A", "https://me.openai.azure.com/openai/v1")
    assert body(ResponsesWire(azure))["store"] is True


def test_reasoning_is_sent_back_only_to_its_origin() -> None:
    own = Reasoning(summary=[], encrypted_content="sealed", origin="p")
    prompt = Prompt(ModelSettings("m"), "c", "i", [own, *PROMPT.input])
    assert b"sealed" in ResponsesWire(PROVIDER).request(prompt)
    assert b"sealed" not in ResponsesWire(Provider("q", "Q", "https://q")).request(prompt)


def test_readers_get_the_request_number_and_the_origin() -> None:
    for wire, events, origin in (
        (ResponsesWire(PROVIDER), [sse.reasoning("Hm", "x"), sse.message("Hi"), sse.completed()], "p"),
        (ChatWire(PROVIDER), [chat.reasoning("Hm"), chat.text("Hi"), chat.finish()], "p/m"),
    ):
        reader = wire.reader(7, PROMPT)
        read = [
            one for event in events for one in reader.feed(SseEvent("message", json.dumps(event).encode()))
        ]
        read += reader.end()
        reasoning, message = (one for one in read if isinstance(one, ItemDone))
        assert isinstance(reasoning.item, Reasoning)
        assert reasoning.item.origin == origin
        assert message.order is not None
        assert message.order.request_ordinal == 7
        assert isinstance(read[-1], Completed)


@pytest.mark.parametrize(
    ("tags", "text", "reasons"),
    [
        ("none", "<think>Hm</think>Hi", False),
        ("paired", "<think>Hm</think>Hi", True),
        ("paired", "Hm</think>Hi", False),
        ("opened", "Hm</think>Hi", True),
    ],
)
def test_the_settings_determine_whether_text_begins_with_reasoning(
    tags: Any, text: str, reasons: bool
) -> None:
    settings = replace(PROMPT.settings, chat=replace(PROMPT.settings.chat, think_tags=tags))
    reader = ChatWire(PROVIDER).reader(0, replace(PROMPT, settings=settings))
    events = [json.dumps(event).encode() for event in (chat.text(text), chat.finish())]
    read = [one for event in events for one in reader.feed(SseEvent("message", event))] + list(reader.end())
    items = [one.item for one in read if isinstance(one, ItemDone)]
    assert [isinstance(item, Reasoning) for item in items] == [True, False][not reasons :]


def test_a_whole_response_stands_for_its_last_event() -> None:
    wire = ResponsesWire(PROVIDER)
    assert wire.plain_answer(b'{"output": []}') == SseEvent(
        "message", b'{"type":"response.completed","response":{"output": []}}'
    )
    for other in (b'{"choices": []}', b'[{"output": []}]', b"text"):
        assert wire.plain_answer(other) is None


def test_a_whole_completion_is_read_like_a_chunk() -> None:
    wire = ChatWire(PROVIDER)
    assert wire.plain_answer(b'{"choices": []}') == SseEvent("message", b'{"choices": []}')
    for other in (b'{"output": []}', b'[{"choices": []}]', b"text"):
        assert wire.plain_answer(other) is None


def test_no_field_of_a_responses_request_is_optional() -> None:
    wire = ResponsesWire(PROVIDER)
    before = wire.request(PROMPT)
    assert wire.learn(refused(400, "parallel_tool_calls")) is False
    assert wire.request(PROMPT) == before


@pytest.mark.parametrize("status", [400, 422])
def test_chat_learns_which_fields_a_server_rejects(status: int) -> None:
    wire = ChatWire(PROVIDER)
    assert set(OPTIONAL) <= set(body(wire))
    assert wire.learn(refused(status, "unknown field: stream_options"))
    assert "stream_options" not in body(wire)
    assert not wire.learn(refused(status, "unknown field: stream_options"))  # it was not sent
    assert wire.learn(refused(status, "extra: parallel_tool_calls"))
    assert set(OPTIONAL).isdisjoint(body(wire))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "messages: bad"),
        (400, "my_stream_options_x"),
        (401, "stream_options"),
        (500, "stream_options"),
    ],
)
def test_chat_learns_nothing_from_other_errors(status: int, text: str) -> None:
    wire = ChatWire(PROVIDER)
    before = body(wire)
    assert wire.learn(refused(status, text)) is False
    assert body(wire) == before
