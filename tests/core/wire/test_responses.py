import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.protocol.items import FunctionCall, InputText, Message
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary
from code_core.protocol.token_events import TokenUsage
from code_core.wire.failures import failure_of
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.request_json import encoded
from code_core.wire.response_events import (
    Completed,
    Created,
    ItemDone,
    ReasoningSectionBreak,
    ReasoningSummaryDelta,
    ReasoningTextDelta,
    TextDelta,
    WebSearchStarted,
)
from code_core.wire.response_reader import ResponseReader
from code_core.wire.responses import request_body
from code_core.wire.retry_hint import retry_delay
from code_core.wire.sse import SseEvent
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, WebSearchSpec
from support import responses_events as sse

USER = Message(role="user", content=[InputText(text="hi")])


def feed(data: bytes, name: str = "message") -> list[Any]:
    return [*ResponseReader().feed(SseEvent(name, data))]


def read(*events: dict[str, Any]) -> list[Any]:
    reader = ResponseReader(7)
    return [read for event in events for read in reader.read(event)]


def prompt(**settings: Any) -> Prompt:
    return Prompt(ModelSettings("m", **settings), "c", "instructions", [USER])


def test_each_relevant_event_is_read() -> None:
    added = {"type": "response.output_item.added", "item": {"type": "web_search_call", "id": "ws"}}
    kinds = read(
        sse.created(),
        sse.text_delta("a"),
        sse.reasoning_summary_delta("b"),
        {"type": "response.reasoning_text.delta", "delta": "c"},
        {"type": "response.reasoning_summary_part.added"},
        added,
        sse.function_call("shell", {}, "c1"),
        sse.completed(),
    )
    assert [type(event) for event in kinds] == [
        *(Created, TextDelta, ReasoningSummaryDelta, ReasoningTextDelta, ReasoningSectionBreak),
        *(WebSearchStarted, ItemDone, ItemDone, Completed),
    ]
    assert kinds[6].item == FunctionCall(id="fc-1", name="shell", arguments="{}", call_id="c1")
    assert kinds[5].call_id == "ws"
    assert kinds[7].item.text == "a"
    assert kinds[1].order.request_ordinal == 7
    assert kinds[8].usage == TokenUsage(
        input_tokens=10, cached_input_tokens=4, output_tokens=5, total_tokens=15
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[DONE]",
        b"[]",
        b'"x"',
        b"{",
        b'{"type":5}',
        b'{"type":"response.new_thing"}',
        b'{"type":"response.output_text.delta"}',
    ]
    + [
        b'{"type":"response.output_item.done","item":{"type":"hologram"}}',
    ],
)
def test_unknown_events_are_skipped(data: bytes) -> None:
    assert feed(data) == []


@given(st.binary())
def test_any_bytes_can_be_read(data: bytes) -> None:
    try:
        feed(data)
    except StreamBroken:
        assert b"output_item.done" in data


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\ude00", b"\xff"])
def test_a_call_with_invalid_unicode_is_repaired_and_not_lost(half: bytes) -> None:
    item = b'{"type":"function_call","name":"f","arguments":"' + half + b'","call_id":"c"}'
    [event] = feed(b'{"type":"response.output_item.done","item":' + item + b"}")
    assert isinstance(event, ItemDone)
    assert event.item == FunctionCall(name="f", arguments="\N{REPLACEMENT CHARACTER}", call_id="c")


@pytest.mark.parametrize(
    "rest", [b'{"type":"function_call"', b"[" * 5000, b'{"a":' * 500 + b"1" + b"}" * 501]
)
def test_a_finished_item_that_is_not_json_breaks_the_stream(rest: bytes) -> None:
    with pytest.raises(StreamBroken, match="not JSON"):
        feed(b'{"type":"response.output_item.done","item":' + rest)
    with pytest.raises(StreamBroken, match="not JSON"):
        feed(b'{"item":' + rest, "response.output_item.done")


def test_a_response_is_complete_only_with_its_last_event() -> None:
    reader = ResponseReader()
    with pytest.raises(StreamBroken, match=r"before response\.completed"):
        reader.end()
    reader.read(sse.message("hi"))
    before = reader.finished
    reader.read(sse.completed())
    assert (before, reader.finished) == (False, True)
    reader.end()
    assert reader.read(sse.message("more")) == []


@pytest.mark.parametrize(
    ("event", "error", "expected"),
    [
        (sse.failed("context_length_exceeded", "x"), ContextWindowExceeded, "context window"),
        (sse.failed("insufficient_quota", "x"), RequestRefused, "quota"),
        (sse.failed("server_is_overloaded", "x"), RequestRefused, "overloaded"),
        (sse.failed("odd", "x"), StreamBroken, "odd"),
        (sse.incomplete("max_output_tokens"), RequestRefused, "max_output_tokens"),
        (
            sse.incomplete("max_output_tokens", usage={"input_tokens": 4_095, "output_tokens": 1}),
            ContextWindowExceeded,
            "leaves no room for an answer",
        ),
        (
            {
                "type": "response.completed",
                "response": {
                    "status": "incomplete",
                    "incomplete_details": {"reason": "max_output_tokens"},
                    "usage": {"input_tokens": 4_095, "output_tokens": 1},
                },
            },
            ContextWindowExceeded,
            "leaves no room for an answer",
        ),
        (sse.incomplete("content_filter"), RequestRefused, "content filter"),
        (sse.incomplete("whatever"), StreamBroken, "whatever"),
        ({"type": "error", "code": "odd", "message": "direct"}, StreamBroken, "direct"),
    ],
)
def test_failures_determine_whether_to_retry(
    event: dict[str, Any], error: type[ModelError], expected: str
) -> None:
    reader = ResponseReader()
    reader.read(event)
    with pytest.raises(error, match=expected):
        reader.end()


@pytest.mark.parametrize(
    ("limit", "written", "cut"),
    [
        (200, 200, True),
        (200, 199, False),
        (200, 340, False),
        (None, 200, False),
    ],  # some servers ignore a limit
)
def test_a_response_as_long_as_its_limit_was_cut_off_whatever_its_status(
    limit: int | None, written: int, cut: bool
) -> None:
    reader = ResponseReader(max_output=limit)
    end = sse.completed(output_tokens=written)
    end["response"] |= {"status": "completed", "output": [sse.message("half a sent")["item"]]}
    done, count = reader.read(end)
    assert (type(done), type(count)) == (ItemDone, Completed)
    if not cut:
        reader.end()
        return
    with pytest.raises(RequestRefused) as caught:
        reader.end()
    assert caught.value.code == "max_output"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("try again in 1.3s", 1.3),
        ("Try again in 28ms.", 0.028),
        ("try again in 35 seconds", 35),
        ("try again in 2 minutes", 120),
        ("later", None),
    ],
)
def test_a_delay_is_read_from_the_message(text: str, seconds: float | None) -> None:
    assert retry_delay(text) == seconds
    error = failure_of({"code": "rate_limit_exceeded", "message": text})
    assert isinstance(error, StreamBroken)
    assert error.delay == seconds


def test_reasoning_is_asked_for_only_from_models_that_reason() -> None:
    plain = request_body(prompt(effort=ReasoningEffort.HIGH))
    assert "reasoning" not in plain
    assert plain["include"] == []
    body = request_body(prompt(reasoning=True, effort=ReasoningEffort.LOW, summary=ReasoningSummary.NONE))
    assert body["reasoning"] == {"effort": "low"}
    assert body["include"] == ["reasoning.encrypted_content"]


def test_tools_are_left_out_when_there_are_none_and_search_at_minimal_effort() -> None:
    assert "tools" not in request_body(prompt())
    tools = (WebSearchSpec(), FunctionSpec("f", "", {}))
    minimal = Prompt(
        ModelSettings("m", reasoning=True, effort=ReasoningEffort.MINIMAL), "c", "i", [USER], tools
    )
    assert [tool["type"] for tool in request_body(minimal)["tools"]] == ["function"]


def test_each_kind_of_tool_is_declared_in_its_own_form() -> None:
    tools = (
        FunctionSpec("f", "does", {"type": "object"}),
        FreeformSpec("p", "edits", "start: x", "write x"),
        WebSearchSpec(),
        WebSearchSpec(allowed_domains=("example.com",)),
    )

    def declared(*, freeform: bool) -> Any:
        return request_body(Prompt(ModelSettings("m", freeform_tools=freeform), "c", "i", [USER], tools))[
            "tools"
        ]

    function, custom, search, narrow = declared(freeform=True)
    assert function == {
        "type": "function",
        "name": "f",
        "description": "does",
        "strict": False,
        "parameters": {"type": "object"},
    }
    assert custom == {
        "type": "custom",
        "name": "p",
        "description": "edits",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    }
    assert search == {"type": "web_search"}
    assert narrow == {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}}
    as_function = declared(freeform=False)[1]
    assert (as_function["type"], as_function["name"], as_function["description"]) == (
        "function",
        "p",
        "write x",
    )
    assert as_function["parameters"]["required"] == ["input"]


def test_ids_are_sent_only_if_responses_are_stored() -> None:
    call = FunctionCall(id="fc", name="f", arguments="{}", call_id="1")
    stored = Prompt(ModelSettings("m"), "c", "i", [call])
    assert "id" not in request_body(stored)["input"][0]
    assert request_body(stored, store=True)["input"][0]["id"] == "fc"


def test_a_request_can_always_be_encoded() -> None:
    half = "\ud800"
    asked = Prompt(ModelSettings(f"m{half}"), "c", f"i{half}", [USER], output_schema={half: half})
    body = json.loads(encoded(request_body(asked)))
    repaired = "\N{REPLACEMENT CHARACTER}"
    assert (body["model"], body["instructions"]) == (f"m{repaired}", f"i{repaired}")
    assert body["text"]["format"]["schema"] == {repaired: repaired}
    assert json.loads(encoded(request_body(prompt()))) == request_body(prompt())


def test_a_schema_becomes_a_format() -> None:
    body = request_body(Prompt(ModelSettings("m"), "c", "i", [USER], output_schema={"type": "object"}))
    assert body["text"]["format"]["name"] == "code_output_schema"
    assert body["text"]["format"]["schema"] == {"type": "object"}
