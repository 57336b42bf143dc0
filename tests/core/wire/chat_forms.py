"""Forms of Chat Completions streams that are not specific to a server, and their meaning; see `chat_shapes`."""

from typing import Any

from core.wire.chat_reading import delta, fn, sse_bytes, tools
from support import chat_chunks as chat

FORMS: dict[str, tuple[bytes, list[Any]]] = {
    "two different calls with the same id": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "call_0", "function": fn("f", '{"a":1}')})),
                delta(tools({"index": 1, "id": "call_0", "function": fn("f", '{"a":2}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "call_0"), ("f", '{"a":2}', "call_0")],
    ),
    "calls without ids that all have index 0": (
        sse_bytes(
            [
                delta(tools({"index": 0, "function": fn("f", '{"a":1}')})),
                delta(tools({"index": 0, "function": fn("f", '{"a":2}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', ""), ("f", '{"a":2}', "")],
    ),
    "name and id repeated in each piece": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", '{"a"')})),
                delta(tools({"index": 0, "id": "a", "function": fn("f", ":1}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a")],
    ),
    "a new id in each piece": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", '{"a"')})),
                delta(tools({"index": 0, "id": "b", "function": fn(None, ":1}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a")],
    ),
    "a name in two pieces": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("apply_")})),
                delta(tools({"index": 0, "function": fn("patch", "{}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("apply_patch", "{}", "a")],
    ),
    "arguments as an object, and none at all": (
        sse_bytes(
            [
                delta(tools({"index": "0", "id": 7, "function": fn("f", {"a": 1})})),
                delta(tools({"index": 1, "id": "b", "function": fn("g")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a": 1}', "7"), ("g", "{}", "b")],
    ),
    "the older function_call": (
        sse_bytes(
            [
                delta({"function_call": fn("f", '{"a"')}),
                delta({"function_call": fn(arguments=":1}")}),
                delta({}, "function_call"),
            ]
        ),
        [("f", '{"a":1}', "")],
    ),
    "a delta that is null, and a finish reason that is empty": (
        sse_bytes([delta(None, ""), chat.text("x"), delta(None, "stop")]),
        ["x"],
    ),
    "an end without [DONE]": (sse_bytes([chat.text("x"), chat.finish()], done=False), ["x"]),
    "a [DONE] without a finish reason": (sse_bytes([chat.text("x")]), ["x"]),
    "no blank lines between the events": (
        b"\n".join(
            [
                b'data: {"choices":[{"delta":{"content":"x"}}]}',
                b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}',
                b"data: [DONE]\n",
            ]
        ),
        ["x"],
    ),
    "a whole completion instead of chunks": (
        sse_bytes(
            [
                {
                    "object": "chat.completion",
                    "choices": [
                        {
                            "message": {
                                "role": "assistant",
                                "content": "x",
                                "reasoning_content": "Hm",
                                "tool_calls": [{"id": "a", "function": fn("f", "{}")}],
                            },
                            "finish_reason": "tool_calls",
                        }
                    ],
                    "usage": {"prompt_tokens": 1, "completion_tokens": 2},
                }
            ],
            done=False,
        ),
        [{"reasoning": "Hm"}, "x", ("f", "{}", "a"), (1, 0, 2)],
    ),
    "blank lines before a call are not a message": (
        sse_bytes([chat.text("\n"), chat.text("\n"), chat.call("f", {}, "a"), chat.finish("tool_calls")]),
        [("f", "{}", "a")],
    ),
    "blank lines before a text belong to nobody": (
        sse_bytes([chat.text("\n\n"), chat.text(" x "), chat.text("y\n"), chat.finish()]),
        ["x y\n"],
    ),
    "a refusal": (
        sse_bytes([delta({"refusal": "I "}), delta({"refusal": "cannot"}), chat.finish()]),
        ["I cannot"],
    ),
    "other choices are other answers": (
        sse_bytes(
            [
                {
                    "choices": [
                        {"index": 1, "delta": {"content": "b"}},
                        {"index": 0, "delta": {"content": "a"}},
                    ]
                },
                {"choices": [{"index": 1, "delta": {}, "finish_reason": "length"}]},
                chat.finish(),
            ]
        ),
        ["a"],
    ),
    "Groq: the usage in x_groq": (
        sse_bytes(
            [
                chat.text("x"),
                {**chat.finish(), "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 1}}},
            ]
        ),
        ["x", (3, 0, 1)],
    ),
    "Moonshot: the usage in the choice": (
        sse_bytes(
            [
                chat.text("x"),
                {
                    "choices": [
                        {
                            "delta": {},
                            "finish_reason": "stop",
                            "usage": {"prompt_tokens": 3, "cached_tokens": 2},
                        }
                    ]
                },
            ]
        ),
        ["x", (3, 2, 0)],
    ),
    "half a surrogate pair in a piece": (
        b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n' + sse_bytes([chat.finish()]),
        ["a\N{REPLACEMENT CHARACTER}"],
    ),
    "a new id and the name in each piece": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", '{"a"')})),
                delta(tools({"index": 0, "id": "b", "function": fn("f", ":1}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a")],
    ),
    "the name in each piece, and an object within the arguments": (
        sse_bytes(
            [
                delta(tools({"index": 0, "function": fn("f", '{"a":')})),
                delta(tools({"index": 0, "function": fn("f", '{"b":1}}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":{"b":1}}', "")],
    ),
    "another name after the arguments have begun": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", "{")})),
                delta(tools({"index": 0, "id": "a", "function": fn("g", "}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", "{}", "a")],
    ),
    "calls without indexes, in turns": (
        sse_bytes(
            [
                delta(tools({"id": "a", "function": fn("f", '{"a"')})),
                delta(tools({"id": "b", "function": fn("g", '{"b"')})),
                delta(tools({"id": "a", "function": fn(None, ":1}")})),
                delta(tools({"id": "b", "function": fn(None, ":2")})),
                delta(tools({"function": fn(None, "}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a"), ("g", '{"b":2}', "b")],
    ),
    "calls without indexes, ids and arguments": (
        sse_bytes([delta(tools({"function": fn("f")}, {"function": fn("g")})), chat.finish("tool_calls")]),
        [("f", "{}", ""), ("g", "{}", "")],
    ),
    "the usage before the end alone": (
        sse_bytes(
            [
                delta({"content": "x"}, usage={"prompt_tokens": 3, "completion_tokens": 1}),
                chat.text("y"),
                chat.finish(),
            ]
        ),
        ["xy", (3, 0, 1)],
    ),
    "reasoning between two texts": (
        sse_bytes([chat.text("x"), chat.reasoning("Hm"), chat.text("y"), chat.finish()]),
        ["x", {"reasoning": "Hm"}, "y"],
    ),
    "no blank lines, and no finish reason": (
        b'data: {"choices":[{"delta":{"content":"x"}}]}\ndata: [DONE]\n',
        ["x"],
    ),
    "another call at the same index, whose arguments follow": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", '{"a":1}')})),
                delta(tools({"index": 0, "id": "b", "function": fn("g", "")})),
                delta(tools({"index": 0, "function": fn(None, '{"b":2}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a"), ("g", '{"b":2}', "b")],
    ),
    "one call twice": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", '{"a":1}')})),
                delta(tools({"index": 1, "id": "a", "function": fn("f", '{"a":1}')})),
                delta(tools({"index": 2, "id": "a", "function": fn("f", "")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a")],
    ),
    "two functions with the same id": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", "{}")})),
                delta(tools({"index": 1, "id": "a", "function": fn("g", "")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", "{}", "a"), ("g", "{}", "a")],
    ),
    "indexes as texts, in turns": (
        sse_bytes(
            [
                delta(tools({"index": "0", "function": fn("f", '{"a"')})),
                delta(tools({"index": "1", "function": fn("g", '{"b"')})),
                delta(tools({"index": "0", "function": fn(None, ":1}")})),
                delta(tools({"index": "1", "function": fn(None, ":2}")})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', ""), ("g", '{"b":2}', "")],
    ),
    "an index that is neither a number nor a text": (
        sse_bytes([delta(tools({"index": [], "function": fn("f", "{}")})), chat.finish("tool_calls")]),
        [("f", "{}", "")],
    ),
    "entries that are not calls": (
        sse_bytes([delta(tools("junk", {"function": fn("f", {"a": "é"})})), chat.finish("tool_calls")]),
        [("f", '{"a": "é"}', "")],
    ),
    "the older function_call with its name in each piece, and a call of the newer form": (
        sse_bytes(
            [
                delta(tools({"index": 0, "function": fn("g", "{}")}, function_call=fn("f", '{"a"'))),
                delta({"function_call": fn("f", ":1}")}),
                delta({}, "function_call"),
            ]
        ),
        [("g", "{}", ""), ("f", '{"a":1}', "")],
    ),
    "texts around a call": (
        sse_bytes([chat.text("x"), chat.call("f", {}, "a"), chat.text("y"), chat.finish("tool_calls")]),
        ["x", "y", ("f", "{}", "a")],
    ),
    "the usage before the text": (
        sse_bytes([chat.usage(3, 1), chat.text("x"), chat.finish()]),
        ["x", (3, 0, 1)],
    ),
    "a chunk without choices before the usage": (
        sse_bytes([chat.text("x"), chat.finish(), {"choices": []}, chat.usage(3, 1)]),
        ["x", (3, 0, 1)],
    ),
    "finish reasons without words after the finish": (
        sse_bytes([chat.text("x"), chat.finish(), delta({}, ""), delta({}, 5)], done=False),
        ["x"],
    ),
    "reasoning details without any": (
        sse_bytes(
            [
                chat.text("x"),
                delta({"reasoning_details": {"text": "Hm"}}),
                delta({"reasoning_details": []}),
                chat.text("y"),
                chat.finish(),
            ]
        ),
        ["xy"],
    ),
    "reasoning in the second of its fields": (
        sse_bytes(
            [
                delta({"reasoning_content": "", "reasoning": "H"}),
                delta({"reasoning_content": {"text": "no"}, "reasoning": "m"}),
                chat.text("x"),
                chat.finish(),
            ]
        ),
        [{"reasoning": "Hm"}, "x"],
    ),
    "thinking as a text": (
        sse_bytes(
            [
                delta({"content": [{"type": "thinking", "thinking": "Hm"}]}),
                chat.text("x"),
                chat.finish(),
            ]
        ),
        [{"reasoning": "Hm"}, "x"],
    ),
    "words of the server besides the usage": (
        sse_bytes([chat.text("x"), chat.finish(), {"usage": {"prompt_tokens": 3}, "message": "hello"}]),
        ["x", (3, 0, 0)],
    ),
    "words of the server besides the choices": (
        sse_bytes([{**chat.text("x"), "message": "hello", "detail": "none"}, chat.finish()]),
        ["x"],
    ),
}
