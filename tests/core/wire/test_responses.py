from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.errors import ContextWindowExceeded, ModelError, RequestRefused, StreamBroken
from code_core.protocol.events import EventOrder
from code_core.protocol.items import FunctionCall, Reasoning
from code_core.protocol.token_events import TokenUsage
from code_core.wire.failures import failure_of
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
from code_core.wire.retry_hint import retry_delay
from code_core.wire.sse import SseEvent
from support import responses_events as sse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "id", "text", "code", "message"]), inner, max_size=3)
    ),
    max_leaves=8,
)


TYPES = [
    *(f"response.output_text.{end}" for end in ("delta", "done")),
    *(f"response.function_call_arguments.{end}" for end in ("delta", "done")),
    *(f"response.output_item.{end}" for end in ("added", "done")),
    *(f"response.{end}" for end in ("refusal.done", "reasoning_text.delta", "reasoning_summary_text.delta")),
    *(f"response.{end}" for end in ("created", "completed", "failed", "incomplete")),
    *("error", "other"),
]


ITEMS = st.builds(
    lambda kind, fields: {"type": kind, **fields},
    st.sampled_from(["message", "reasoning", "function_call", "local_shell_call", "web_search_call"]),
    st.dictionaries(st.sampled_from(["id", "name", "call_id", "arguments", "content", "action"]), JSON),
)


EVENTS = st.builds(
    lambda kind, fields, item, output: {
        "type": kind,
        "item": item,
        "response": {"output": output, **fields},
        **fields,
    },
    st.sampled_from(TYPES),
    st.dictionaries(st.sampled_from(["delta", "text", "item_id", "output_index", "error", "usage"]), JSON),
    ITEMS | JSON,
    st.lists(ITEMS | JSON, max_size=2) | JSON,
)


def feed(data: bytes, name: str = "message") -> list[Any]:
    return [*ResponseReader().feed(SseEvent(name, data))]


def read(*events: dict[str, Any]) -> list[Any]:
    reader = ResponseReader(7)
    return [read for event in events for read in reader.read(event)]


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
    assert [event.delta for event in kinds[1:4]] == ["a", "b", "c"]
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


@given(st.lists(EVENTS, max_size=4))
def test_no_fields_of_an_event_break_the_reader(events: list[dict[str, Any]]) -> None:
    reader = ResponseReader()
    with suppress(StreamBroken):
        for event in events:
            reader.read(event)


def test_an_error_of_something_within_the_response_is_not_one_of_the_response() -> None:
    reader = ResponseReader()
    reader.read({"type": "response.mcp_call.failed", "error": {"message": "x"}})
    assert not reader.finished


def test_an_event_has_the_place_that_the_provider_gives_it() -> None:
    event = {"type": "response.output_text.delta", "delta": "a", "output_index": 3, "sequence_number": 9}
    [piece] = read(event)
    assert piece.order == EventOrder(request_ordinal=7, output_index=3, sequence_number=9)


def test_reasoning_belongs_to_its_provider() -> None:
    reader = ResponseReader(origin="p")
    [thought] = reader.read(sse.reasoning("Hm", "x"))
    [message] = reader.read(sse.message("hi"))
    assert isinstance(thought, ItemDone)
    assert isinstance(message, ItemDone)
    assert isinstance(thought.item, Reasoning)
    assert (thought.item.origin, thought.item.encrypted_content) == ("p", "x")
    assert not hasattr(message.item, "origin")


def test_tokens_of_reasoning_are_counted() -> None:
    usage = {"output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 4}}
    [end] = read({"type": "response.completed", "response": {"id": "r", "usage": usage}})
    assert end.usage == TokenUsage(output_tokens=5, reasoning_output_tokens=4)


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
    with pytest.raises(StreamBroken, match="not JSON"):
        feed(b"", "response.output_item.done")


def test_a_response_is_complete_only_with_its_last_event() -> None:
    reader = ResponseReader()
    with pytest.raises(StreamBroken, match=r"before response\.completed"):
        reader.end()
    reader.read(sse.message("hi"))
    before = reader.finished
    reader.read(sse.completed())
    assert (before, reader.finished, reader.whole) == (False, True, True)
    assert reader.end() == []
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
