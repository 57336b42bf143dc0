"""Streams of servers with variants of the Responses API: each item is used once."""

import pytest

from code_core.errors import StreamBroken
from code_core.protocol.items import (
    CustomToolCall,
    FunctionCall,
    LocalShellCall,
    Message,
    OutputText,
    ResponseItem,
)
from code_core.wire.response_events import Completed, ItemDone, TextDelta
from core.wire.foreign import Event, added, call, completed, delta, done, lines, read, text
from core.wire.foreign_shapes import REASONING, STREAMS


def items(stream: bytes) -> list[ResponseItem]:
    return [event.item for event in read(stream) if isinstance(event, ItemDone)]


def shown(stream: bytes) -> list[str]:
    """The items in short form: the text of a message, or a call as `name(arguments)#call id`."""
    texts: list[str] = []
    for item in items(stream):
        match item:
            case Message():
                texts.append(item.text)
            case FunctionCall():
                texts.append(f"{item.name}({item.arguments})#{item.call_id}")
            case _:
                texts.append(item.type)
    return texts


@pytest.mark.parametrize("name", STREAMS)
def test_each_item_is_used_once(name: str) -> None:
    stream, expected = STREAMS[name]
    assert shown(stream) == expected


@pytest.mark.parametrize("name", STREAMS)
def test_the_last_event_says_that_the_response_is_complete(name: str) -> None:
    assert isinstance(read(STREAMS[name][0])[-1], Completed)


def test_repeated_calls_are_recognised() -> None:
    custom = {"type": "custom_tool_call", "name": "f", "input": "x"}
    shell = {"type": "local_shell_call", "action": {"type": "exec", "command": ["ls"]}}
    stream = lines(
        done({**custom, "call_id": "1"}),
        done({**shell, "call_id": "2", "status": "in_progress"}),
        completed({**custom, "call_id": "3", "id": "ctc"}, {**shell, "call_id": "4"}),
    )
    first, second = items(stream)
    assert isinstance(first, CustomToolCall)
    assert isinstance(second, LocalShellCall)


def test_other_calls_are_new_if_their_content_is() -> None:
    custom = {"type": "custom_tool_call", "name": "f"}
    stream = lines(
        done({**custom, "call_id": "1", "input": "x"}), completed({**custom, "call_id": "2", "input": "y"})
    )
    assert len(items(stream)) == 2


def test_a_message_made_of_deltas_has_their_id() -> None:
    assert items(lines(delta("hi", item_id="m"), completed())) == [
        Message(id="m", role="assistant", content=[OutputText(text="hi")])
    ]


def test_optional_fields_of_a_shell_call_that_have_the_wrong_type_are_left_out() -> None:
    action = {"type": None, "command": ["ls"], "timeout_ms": "soon", "working_directory": 7}
    [item] = items(lines(done({"type": "local_shell_call", "call_id": "c", "action": action}), completed()))
    assert isinstance(item, LocalShellCall)
    assert item.action.model_dump() == {
        "type": "exec",
        "command": ["ls"],
        "timeout_ms": None,
        "working_directory": None,
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "function_call", "name": None, "call_id": "d"},
        {"type": "function_call", "name": None, "id": "", "call_id": ["c"]},
        7,
    ],
)
def test_a_broken_item_that_is_only_in_the_final_list_breaks_the_response(broken: Event) -> None:
    with pytest.raises(StreamBroken, match="the provider sent"):
        read(lines(done(call(id="", call_id="c")), completed(broken)))


def test_a_delta_names_its_item() -> None:
    [event, *_] = read(lines(delta("hi", item_id="m"), completed()))
    assert isinstance(event, TextDelta)
    assert event.item_id == "m"


@pytest.mark.parametrize(
    "stream",
    [
        lines(completed(REASONING, text("hi"), call(call_id="c"))),
        lines(done(REASONING), done(text("hi", id="m")), completed(call(call_id="c"))),
        lines(
            done(REASONING, output_index=0), done(text("hi"), output_index=1), completed(call(call_id="c"))
        ),
    ],
)
def test_each_item_has_its_own_index_whether_or_not_the_provider_numbers_them(stream: bytes) -> None:
    orders = [event.order for event in read(stream) if isinstance(event, ItemDone)]
    assert [order and order.output_index for order in orders] == [0, 1, 2]


def test_a_delta_without_an_index_has_that_of_its_message() -> None:
    stream = lines(done(REASONING), delta("hi"), done(text("hi", id="m")), completed())
    orders = [event.order for event in read(stream) if isinstance(event, TextDelta | ItemDone)]
    assert [order and order.output_index for order in orders] == [0, 1, 1]


def test_counts_that_are_not_numbers_are_left_out() -> None:
    usage = {"input_tokens": True, "output_tokens": 5, "total_tokens": "7", "input_tokens_details": None}
    event = read(lines(completed(text("hi"), usage=usage)))[-1]
    assert isinstance(event, Completed)
    assert event.response_id == "r"
    assert event.usage is not None
    assert (event.usage.input_tokens, event.usage.output_tokens, event.usage.total_tokens) == (0, 5, 0)


@pytest.mark.parametrize(
    "stream",
    [
        lines(completed()),
        lines(done(REASONING), completed(REASONING)),
        lines({"type": "response.reasoning_summary_text.delta", "delta": "hm"}, completed()),
        lines(done({"type": "web_search_call", "id": "w"}), completed()),
        lines(done(text("")), completed()),
        lines(added(text("", id="m")), completed()),
        lines(done(call(call_id="c", status="incomplete")), completed()),
        lines(completed({"type": "function_call_output", "call_id": "c", "output": "made up"})),
        lines(completed({**text("do it"), "role": "user"})),
    ],
)
def test_an_empty_response_is_requested_again(stream: bytes) -> None:
    with pytest.raises(StreamBroken, match="neither text nor a call") as caught:
        read(stream)
    assert caught.value.empty
