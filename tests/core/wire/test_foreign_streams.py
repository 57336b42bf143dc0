"""Streams of servers with variants of the Responses API: each item is used once."""

import pytest

from code_core.errors import StreamBroken
from code_core.protocol.items import CustomToolCall, FunctionCall, LocalShellCall, Message, ResponseItem
from code_core.wire.response_events import Completed, ItemDone, TextDelta
from core.wire.foreign import Event, added, arguments, call, completed, delta, done, lines, read, text


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


REASONING: Event = {"type": "reasoning", "id": "rs", "summary": []}
STREAMS: dict[str, tuple[bytes, list[str]]] = {
    "the API's own": (lines(delta("hi"), done(text("hi", id="m")), completed(text("hi", id="m"))), ["hi"]),
    "items only at the end": (lines(completed(text("hi"))), ["hi"]),
    "a call only at the end": (lines(completed(REASONING, call(call_id="c"))), ["reasoning", "f({})#c"]),
    "one item on its own, the other at the end": (
        lines(done(text("hi", id="m")), completed(text("hi", id="m"), call(call_id="c"))),
        ["hi", "f({})#c"],
    ),
    "other ids at the end (vLLM)": (
        lines(
            done(text("hi", id="msg_1")),
            done(call(id="fc_1", call_id="call_1")),
            completed(text("hi", id="msg_2"), call(id="fc_2", call_id="call_2")),
        ),
        ["hi", "f({})#call_1"],
    ),
    "two calls alike are two calls": (
        lines(
            done(call(call_id="1")),
            done(call(call_id="2")),
            completed(call(call_id="1"), call(call_id="2")),
        ),
        ["f({})#1", "f({})#2"],
    ),
    "two calls alike, one of them only at the end": (
        lines(done(call(call_id="1")), completed(call(call_id="1"), call(call_id="2"))),
        ["f({})#1", "f({})#2"],
    ),
    "of two calls alike, one with another id and one with other arguments at the end": (
        lines(
            done(call(call_id="1")),
            done(call(call_id="2")),
            completed(call(call_id="9"), call('{"a":1}', call_id="2")),
        ),
        ["f({})#1", "f({})#2"],
    ),
    "the same call with its arguments spelled otherwise at the end": (
        lines(done(call('{"a":1}', call_id="1")), completed(call('{"a": 1}', call_id="1"))),
        ['f({"a":1})#1'],
    ),
    "the same message with other spaces at the end": (
        lines(done(text("hi\n", id="m1")), completed(text("hi"))),
        ["hi\n"],
    ),
    "a cut text of the same message at the end": (
        lines(done(text("hi there", id="m")), completed(text("hi", id="m"))),
        ["hi there"],
    ),
    "one id for every message": (
        lines(done(text("hi", id="m")), completed(text("first", id="m"), text("hi", id="m"))),
        ["hi", "first"],
    ),
    "one item twice": (lines(done(text("hi", id="m")), done(text("hi", id="m")), completed()), ["hi"]),
    "one call twice": (
        lines(done(call(call_id="c")), done(call(call_id="c")), completed()),
        ["f({})#c"],
    ),
    "one id for two texts": (
        lines(done(text("a", id="m")), done(text("b", id="m")), completed()),
        ["a", "b"],
    ),
    "deltas only": (lines(delta("on"), delta("ly"), completed()), ["only"]),
    "deltas with an id only": (
        lines(
            delta("on", item_id="m", output_index=0), delta("ly", item_id="m", output_index=0), completed()
        ),
        ["only"],
    ),
    "deltas of two messages": (
        lines(
            delta("a", output_index=0), delta("b", output_index=1), delta("c", output_index=1), completed()
        ),
        ["a", "bc"],
    ),
    "deltas, then the message at the end": (
        lines(delta("hi", item_id="m"), completed(text("hi", id="other"))),
        ["hi"],
    ),
    "deltas of a message that comes at the end with more": (
        lines(delta("hi", item_id="m"), completed(text("hi there", id="m"))),
        ["hi there"],
    ),
    "deltas of a message that comes whole by its index": (
        lines(delta("hi", output_index=3), done(text("hi!"), output_index=3), completed()),
        ["hi!"],
    ),
    "whole texts without deltas": (
        lines(
            {"type": "response.output_text.done", "item_id": "m", "text": "a"},
            {"type": "response.output_text.done", "item_id": "m", "text": "b"},
            completed(),
        ),
        ["ab"],
    ),
    "deltas and the whole text": (
        lines(
            delta("hi", item_id="m"),
            {"type": "response.output_text.done", "item_id": "m", "text": "hi"},
            completed(),
        ),
        ["hi"],
    ),
    "a refusal in deltas": (lines({"type": "response.refusal.delta", "delta": "no"}, completed()), ["no"]),
    "a whole refusal": (lines({"type": "response.refusal.done", "refusal": "no"}, completed()), ["no"]),
    "arguments in deltas only": (
        lines(
            added(call("", id="x", call_id="c")),
            arguments("delta", '{"a"', item_id="x", output_index=0),
            arguments("delta", ":1}", item_id="x", output_index=0),
            completed(),
        ),
        ['f({"a":1})#c'],
    ),
    "whole arguments only": (
        lines(
            added(call("", id="x", call_id="c")),
            arguments("delta", "{", item_id="x", output_index=0),
            arguments("done", '{"a":1}', item_id="x", output_index=0),
            completed(),
        ),
        ['f({"a":1})#c'],
    ),
    "arguments in the first event of a call": (
        lines(added(call('{"a":1}', id="x", call_id="c")), completed()),
        ['f({"a":1})#c'],
    ),
    "arguments in deltas, then the call": (
        lines(
            added(call("", id="x", call_id="c")),
            arguments("delta", "{}", item_id="x", output_index=0),
            done(call("{}", id="x", call_id="c"), output_index=0),
            completed(),
        ),
        ["f({})#c"],
    ),
    "arguments in deltas, then the call at the end": (
        lines(
            added(call("", id="x", call_id="c")),
            arguments("delta", "{}", item_id="x", output_index=0),
            completed(call("{}", id="x", call_id="c")),
        ),
        ["f({})#c"],
    ),
    "arguments of no call": (lines(arguments("done", "{}"), done(text("hi")), completed()), ["hi"]),
    "deltas under another name (OpenRouter)": (
        lines(
            {"type": "response.content_part.delta", "delta": "hi"}, {"type": "response.done", "response": {}}
        ),
        ["hi"],
    ),
    "the type only in the event's name": (
        lines(delta("hi"), done(text("hi")), completed(), typed=False),
        ["hi"],
    ),
    "the type only in the data": (lines(delta("hi"), done(text("hi")), completed(), named=False), ["hi"]),
    "a name that is not the type": (
        lines(done(text("hi")), completed()).replace(b"event: response.completed", b"event: done"),
        ["hi"],
    ),
    "no last blank line": (lines(done(text("hi")), completed()).removesuffix(b"\n"), ["hi"]),
    "no last line end": (lines(done(text("hi")), completed()).removesuffix(b"\n\n"), ["hi"]),
    "no blank lines": (
        lines(done(text("hi")), completed(), named=False).replace(b"\n\n", b"\n"),
        ["hi"],
    ),
    "an empty line of data in place of the blank one": (
        lines(done(text("hi")), completed(), named=False).replace(b"\n\ndata", b"\ndata:\ndata"),
        ["hi"],
    ),
    "CRLF": (lines(done(text("hi")), completed(), ends="\r\n"), ["hi"]),
    "CR": (lines(done(text("hi")), completed(), ends="\r"), ["hi"]),
    "mixed line ends": (
        lines(done(text("hi")), ends="\r\n") + b"\r" + lines(completed(), ends="\r") + b"\n",
        ["hi"],
    ),
    "a byte order mark and comments": (
        b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\n: keep-alive\n\n" + lines(done(text("hi")), completed()),
        ["hi"],
    ),
    "trailers": (lines(done(text("hi")), completed()) + b"data: [DONE]\n\ndata: [DONE]\n\n", ["hi"]),
    "[DONE] before the end": (lines(done(text("hi"))) + b"data: [DONE]\n\n" + lines(completed()), ["hi"]),
    "keep-alive events": (
        b"event: ping\ndata: {}\n\n" + lines({"type": "keepalive"}, done(text("hi")), completed()),
        ["hi"],
    ),
    "a part of type text": (
        lines(done({"type": "message", "content": [{"type": "text", "text": "hi"}]}), completed()),
        ["hi"],
    ),
    "a message of text": (lines(done({"type": "message", "content": "hi"}), completed()), ["hi"]),
    "arguments as an object (Ollama)": (
        lines(
            done({"type": "function_call", "name": "f", "arguments": {"a": 1}, "call_id": "c"}), completed()
        ),
        ['f({"a": 1})#c'],
    ),
    "an event after the end": (lines(done(text("hi")), completed(), done(text("more"))), ["hi"]),
    "null for all that may be left out": (
        lines(
            delta("hi", output_index=None, item_id=None, sequence_number=None),
            done({**text("hi"), "id": None, "status": None, "role": None}, output_index=None),
            completed(id=None, usage=None, status=None, error=None),
        ),
        ["hi"],
    ),
    "output that is not a list": (
        lines(done(text("hi")), {"type": "response.completed", "response": {"output": None}}),
        ["hi"],
    ),
    "an item whose index is not a number": (
        lines(done(text("hi")), done(call(call_id="c"), output_index=[]), completed()),
        ["hi", "f({})#c"],
    ),
    "null among the items at the end": (
        lines(done(text("hi")), {"type": "response.completed", "response": {"output": [None]}}),
        ["hi"],
    ),
    "a broken copy of a call at the end": (
        lines(done(call(id="x", call_id="c")), completed({"type": "function_call", "id": "x", "name": None})),
        ["f({})#c"],
    ),
    "a broken copy of a call with another kind of id at the end": (
        lines(
            done(call(id="x", call_id="c")),
            completed({"type": "function_call", "id": [], "call_id": "c", "name": None}),
        ),
        ["f({})#c"],
    ),
    "no response at the end": (lines(done(text("hi")), {"type": "response.completed"}), ["hi"]),
    "a whole response without a type": (
        lines(done(text("hi"))) + b'data: {"object": "response"}\n\n',
        ["hi"],
    ),
}


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
        done({**shell, "call_id": "2"}),
        completed({**custom, "call_id": "3"}, {**shell, "call_id": "4"}),
    )
    first, second = items(stream)
    assert isinstance(first, CustomToolCall)
    assert isinstance(second, LocalShellCall)


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


@pytest.mark.parametrize("broken", [{"type": "function_call", "name": None, "call_id": "d"}, 7])
def test_a_broken_item_that_is_only_in_the_final_list_breaks_the_response(broken: Event) -> None:
    with pytest.raises(StreamBroken, match="the provider sent"):
        read(lines(done(call(call_id="c")), completed(broken)))


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
