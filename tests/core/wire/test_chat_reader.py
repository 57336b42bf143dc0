"""Streams of Chat Completions from different servers, and their meaning."""

import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.errors import RequestRefused, StreamBroken
from code_core.protocol.items import Message, OutputText, Reasoning, Refusal
from code_core.protocol.token_events import TokenUsage
from code_core.wire.chat_calls import CallAssembly
from code_core.wire.chat_reader import ChatReader
from code_core.wire.response_events import Completed, Created, ItemDone, ReasoningTextDelta, TextDelta
from code_core.wire.sse import SseEvent
from core.wire.chat_failures import FAILURES
from core.wire.chat_forms import FORMS
from core.wire.chat_reading import outcome, read, read_bytes, shape, shown_text, sse_bytes
from core.wire.chat_shapes import SHAPES
from support import chat_chunks as chat

MEANINGS = SHAPES | FORMS
STREAMS = {name: stream for table in (MEANINGS, FAILURES) for name, (stream, _) in table.items()}


@pytest.mark.parametrize("name", MEANINGS)
def test_a_stream_of_each_server_is_understood(name: str) -> None:
    stream, meaning = MEANINGS[name]
    assert shape(read_bytes(stream)) == meaning


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_reported(name: str) -> None:
    stream, words = FAILURES[name]
    failure = outcome(stream)
    assert isinstance(failure, str)
    assert failure.startswith(words)


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(1, 40), max_size=60))
def test_the_events_are_the_same_for_every_split_of_the_bytes(name: str, sizes: list[int]) -> None:
    stream, pieces, at = STREAMS[name], [], 0
    for size in sizes:
        pieces.append(stream[at : at + size])
        at += size
    assert outcome(*pieces, stream[at:]) == outcome(stream)


@given(st.text(min_size=1), st.lists(st.integers(0, 30), max_size=8))
def test_the_call_is_the_same_for_every_split_of_its_arguments(tail: str, cuts: list[int]) -> None:
    arguments = '{"a":"' + tail.replace("\\", "").replace('"', "") + '"}'
    bounds = sorted({min(cut, len(arguments)) for cut in cuts} | {0, len(arguments)})
    pieces = [arguments[a:b] for a, b in pairwise(bounds)]
    events = read(
        chat.call("f", "", "c"), *(chat.arguments(piece) for piece in pieces), chat.finish("tool_calls")
    )
    [call] = shape(events)
    assert call == ("f", arguments, "c")


def test_the_events_of_a_response_are_in_order() -> None:
    events = read(
        chat.role(),
        chat.reasoning("Hm"),
        chat.text("Hi"),
        chat.call("f", {}, "a"),
        chat.call("g", {}, "b", 1),
        chat.finish("tool_calls"),
        chat.usage(),
    )
    kinds = [type(event) for event in events]
    assert kinds == [
        Created,
        ReasoningTextDelta,
        ItemDone,
        TextDelta,
        ItemDone,
        ItemDone,
        ItemDone,
        Completed,
    ]
    indexes = [event.order.output_index for event in events if isinstance(event, ItemDone) and event.order]
    assert indexes == [0, 1, 2, 3]
    orders = {event.order.request_ordinal for event in events if isinstance(event, ItemDone) and event.order}
    assert orders == {1}
    assert isinstance(events[-1], Completed)
    assert events[-1].response_id == "chatcmpl-1"


def test_reasoning_keeps_its_field_its_details_and_its_origin() -> None:
    details = (
        [{"type": "reasoning.text", "text": "Le", "index": 0, "format": "f", "signature": None}],
        [{"type": "reasoning.text", "text": "t", "index": 0, "signature": "s"}, "junk"],
        [{"type": "reasoning.text", "index": 0, "signature": None}],
        [{"type": "reasoning.encrypted", "data": "xx", "id": "1"}],
        [{"type": "reasoning.encrypted", "data": "yy", "id": "2"}],
    )
    events = read(
        *(chat.chunk({"reasoning_details": part}) for part in details), chat.text("x"), chat.finish()
    )
    [item] = [
        event.item for event in events if isinstance(event, ItemDone) and isinstance(event.item, Reasoning)
    ]
    assert (item.origin, item.chat_field) == ("p/m", None)
    assert item.chat_details == [
        {"type": "reasoning.text", "index": 0, "format": "f", "signature": "s", "text": "Let"},
        {"type": "reasoning.encrypted", "id": "1", "data": "xx"},
        {"type": "reasoning.encrypted", "id": "2", "data": "yy"},
    ]


def test_reasoning_has_the_field_that_came_first() -> None:
    events = read(
        chat.chunk({"reasoning": "H"}), chat.chunk({"reasoning_content": "m"}), chat.text("x"), chat.finish()
    )
    [item, _] = [event.item for event in events if isinstance(event, ItemDone)]
    assert isinstance(item, Reasoning)
    assert item.chat_field == "reasoning"


def test_details_belong_together_by_type_and_index() -> None:
    details = [
        {"type": "reasoning.text", "index": 0, "text": "a"},
        {"type": "reasoning.summary", "index": 0, "summary": "b"},
        {"type": "reasoning.text", "index": 1, "text": "c"},
        {"type": "reasoning.text", "index": 0, "text": "d"},
    ]
    events = read(chat.chunk({"reasoning_details": details}), chat.text("x"), chat.finish())
    [item, _] = [event.item for event in events if isinstance(event, ItemDone)]
    assert isinstance(item, Reasoning)
    assert item.chat_details == [
        {"type": "reasoning.text", "index": 0, "text": "ad"},
        {"type": "reasoning.summary", "index": 0, "summary": "b"},
        {"type": "reasoning.text", "index": 1, "text": "c"},
    ]


def test_an_empty_piece_of_thinking_is_not_shown() -> None:
    events = read(
        chat.chunk({"content": [{"type": "thinking", "thinking": []}]}), chat.text("x"), chat.finish()
    )
    assert [type(event) for event in events] == [Created, TextDelta, ItemDone, Completed]


def test_a_message_is_done_as_soon_as_a_call_begins() -> None:
    reader = ChatReader(1, "p/m")
    reader.read(chat.text("x"))
    [done] = reader.read(chat.call("f", {}, "a"))
    assert isinstance(done, ItemDone)
    assert isinstance(done.item, Message)
    assert done.item.content == [OutputText(text="x")]


def test_an_empty_response_is_known_as_one() -> None:
    with pytest.raises(StreamBroken, match="empty") as caught:
        read(chat.role(), chat.finish())
    assert caught.value.empty


def test_a_missing_total_is_the_sum() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 2}}
    [end] = [
        event
        for event in read(chat.text("x"), {**chat.finish(), "usage": usage})
        if isinstance(event, Completed)
    ]
    assert end.usage == TokenUsage(input_tokens=3, output_tokens=4, reasoning_output_tokens=2, total_tokens=7)


def test_a_refusal_is_a_refusal() -> None:
    [item] = [
        event.item
        for event in read(chat.chunk({"refusal": "no"}), chat.finish())
        if isinstance(event, ItemDone)
    ]
    assert isinstance(item, Message)
    assert item.content == [Refusal(refusal="no")]


def test_deltas_spell_the_message() -> None:
    events = read(chat.text("\n"), chat.text("a"), chat.text(" "), chat.text("b"), chat.finish())
    assert shown_text(events) == "a b" == shape(events)[0]


def test_text_before_the_limit_is_kept() -> None:
    reader = ChatReader(1, "p/m")
    events = [
        event
        for chunk in (
            chat.reasoning("Hm"),
            chat.text("half"),
            chat.call("f", '{"a', "1"),
            chat.finish("length"),
        )
        for event in reader.read(chunk)
    ]
    assert shape(events) == [{"reasoning": "Hm"}, "half"]
    with pytest.raises(RequestRefused):
        reader.end()


def test_a_text_that_the_limit_cut_off_stays() -> None:
    reader = ChatReader(1, "p/m")
    events = [event for chunk in (chat.text("half"), chat.finish("length")) for event in reader.read(chunk)]
    assert shape(events) == ["half"]


def test_nothing_after_the_end_matters() -> None:
    reader = ChatReader(1, "p/m")
    chunks = (chat.text("x"), chat.finish(), chat.usage())
    states = [(reader.whole, reader.finished) for _ in map(reader.read, chunks)]
    assert states == [(False, False), (True, False), (True, True)]


def test_nothing_after_a_failure_matters() -> None:
    failed = ChatReader(1, "p/m")
    failed.read({"error": {"message": "no"}})
    assert failed.finished
    assert failed.read(chat.text("x")) == []


def test_done_ends_the_stream() -> None:
    done = ChatReader(1, "p/m")
    done.feed(SseEvent("message", b" [DONE]"))
    assert done.finished


def test_invalid_chunks_are_skipped() -> None:
    assert shape(read(b"data: ping\n\n", b"data: 5\n\n", b"data: []\n\n", chat.text("x"), chat.finish())) == [
        "x"
    ]


HOSTILE = {
    "one-letter texts": lambda n: [chat.text("x")] * n,
    "one-letter arguments": lambda n: [chat.call("f", "{", "a"), *[chat.arguments("x")] * n],
    "calls": lambda n: [chat.call("f", "{}", f"c{i}", i) for i in range(n)],
    "calls with one id": lambda n: [chat.call("f", f'{{"a":{i}}}', "c", i) for i in range(n)],
    "names in pieces": lambda n: [chat.call(f"name{i}" * 20, "", "a") for i in range(n)],
    "blank texts": lambda n: [chat.text(" ")] * n,
    "reasoning between words": lambda n: [chat.text("x"), chat.reasoning("y")] * (n // 2),
    "details": lambda n: [chat.chunk({"reasoning_details": [{"text": "x", "index": i}]}) for i in range(n)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_time_and_memory_are_linear(kind: str) -> None:
    def cost(number: int) -> tuple[float, int]:
        chunks = HOSTILE[kind](number)
        reader = ChatReader(1, "p/m")
        tracemalloc.start()
        started = time.thread_time()
        for chunk in chunks:
            reader.read(chunk)
        reader.read(chat.text("x"))
        reader.read(chat.finish())
        reader.end()
        elapsed, peak = time.thread_time() - started, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return elapsed, peak

    small = min(cost(500)[0] for _ in range(3))
    large, peak = cost(8_000)
    assert large < 8 * 16 * small  # quadratic work: 256 times
    assert peak < 8_000 * 8_192


def test_an_endless_name_is_cut() -> None:
    calls = CallAssembly(lambda: 0)
    for number in range(50):
        calls.add({"index": 0, "id": "a", "function": {"name": f"{number}" * 100}})
    [(_, call)] = calls.finished()
    assert len(call["name"]) < 500
    calls = CallAssembly(lambda: 0)
    for name in ("n" * 255, "o", "p"):
        calls.add({"index": 0, "function": {"name": name}})
    assert calls.finished()[0][1]["name"] == "n" * 255 + "o"
    [(name, _, _)] = shape(
        read(*[chat.call("n" * 100 + str(i), "", "a") for i in range(50)], chat.finish("tool_calls"))
    )
    assert len(name) <= 64


def test_a_large_argument_is_accepted() -> None:
    piece = "x" * 65_536
    events = read_bytes(
        sse_bytes(
            [
                chat.call("f", '{"a":"', "c"),
                *[chat.arguments(piece)] * 64,
                chat.arguments('"}'),
                chat.finish("tool_calls"),
            ]
        )
    )
    assert len(shape(events)[0][1]) == 64 * 65_536 + 8
