"""Streams of servers with variants of the Responses API, and the items in them.

An item is shown in short form: the text of a message, or a call as `name(arguments)#call id`.
"""

from core.wire.foreign import Event, added, arguments, call, completed, delta, done, lines, text

CALL_AS_TEXT = '{"type":"function_call","name":"f","arguments":"{}"}'

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
    "two messages alike at different places": (
        lines(done(text("hi"), output_index=0), done(text("hi"), output_index=1), completed()),
        ["hi", "hi"],
    ),
    "two messages alike with different ids": (
        lines(done(text("hi", id="m")), done(text("hi", id="n")), completed()),
        ["hi", "hi"],
    ),
    "one call id for two calls": (
        lines(done(call('{"a":1}', call_id="c")), done(call('{"a":2}', call_id="c")), completed()),
        ['f({"a":1})#c', 'f({"a":2})#c'],
    ),
    "one id for reasoning and a message": (
        lines(done({**REASONING, "id": "x"}), completed(text("hi", id="x"))),
        ["reasoning", "hi"],
    ),
    "other messages at the end": (
        lines(done(text("a", id="m")), completed(text("b", id="n"))),
        ["a", "b"],
    ),
    "reasoning with another id at the end": (
        lines(done(REASONING), completed({**REASONING, "id": "other"}, text("hi"))),
        ["reasoning", "hi"],
    ),
    "a message that looks like the call at the end": (
        lines(done(text(CALL_AS_TEXT, id="m")), completed(call(call_id="c"), text(CALL_AS_TEXT, id="m"))),
        [CALL_AS_TEXT, "f({})#c"],
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
    "deltas of two messages in turns, with ids only": (
        lines(delta("a", item_id="m"), delta("b", item_id="n"), delta("c", item_id="m"), completed()),
        ["ac", "b"],
    ),
    "deltas of one message, and another that comes whole": (
        lines(delta("a", item_id="m"), done(text("b", id="n")), completed()),
        ["b", "a"],
    ),
    "deltas of one message, and another that comes whole, by index": (
        lines(delta("a", output_index=0), done(text("b"), output_index=1), completed()),
        ["b", "a"],
    ),
    "deltas, and null among the items at the end": (
        lines(delta("hi"), {"type": "response.completed", "response": {"output": [None]}}),
        ["hi"],
    ),
    "deltas of two parts, and the whole text of one": (
        lines(
            delta("a", item_id="m"),
            delta("b", item_id="m"),
            {"type": "response.output_text.done", "item_id": "m", "text": "b"},
            completed(),
        ),
        ["ab"],
    ),
    "a message that began before a call, and went on after it": (
        lines(
            added(text("", id="m"), 0),
            added(call("{}", id="x", call_id="c"), 1),
            delta("hi", item_id="m", output_index=0),
            completed(),
        ),
        ["hi", "f({})#c"],
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
    "arguments in deltas with ids only": (
        lines(
            {"type": "response.output_item.added", "item": call("", id="x", call_id="c")},
            {"type": "response.output_item.added", "item": call("", id="y", call_id="d")},
            arguments("delta", '{"a"', item_id="x"),
            arguments("delta", "{}", item_id="y"),
            arguments("delta", ":1}", item_id="x"),
            completed(),
        ),
        ['f({"a":1})#c', "f({})#d"],
    ),
    "arguments in deltas, then the call at the end with other spaces": (
        lines(
            added(call("", id="x", call_id="c")),
            arguments("delta", '{"a":1}', item_id="x", output_index=0),
            completed(call('{"a": 1}', id="x", call_id="other")),
        ),
        ['f({"a": 1})#other'],
    ),
    "arguments in deltas with the call id, then the call at the end": (
        lines(
            added(call("", id="c", call_id="c")),
            arguments("delta", '{"a":1}', item_id="c", output_index=0),
            completed(call('{"a": 1}', id="other", call_id="c")),
        ),
        ['f({"a": 1})#c'],
    ),
    "arguments in deltas of a call that began as incomplete": (
        lines(
            added(call("", id="x", call_id="c", status="incomplete")),
            arguments("delta", "{}", item_id="x", output_index=0),
            completed(),
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
