"""Streams of Chat Completions as servers and providers send them, each written from its documentation or a public report.

Each row: the stream, and what it means: texts, calls as (name, arguments, id), reasoning, usage as
(input, cached, output).
"""

from typing import Any

from core.wire.chat_reading import delta, fn, sse_bytes, tools
from support import chat_chunks as chat

ODD: tuple[object, ...] = (0, None, "0", -1, [], {})

SHAPES: dict[str, tuple[bytes, list[Any]]] = {
    "an index that is not a number": (
        sse_bytes([*({"choices": [{"index": n, "delta": {"content": "a"}}]} for n in ODD), chat.finish()]),
        ["aaaaaa"],
    ),
    "one call outside a list": (
        sse_bytes([delta({"content": "Look", "tool_calls": {"function": fn("f", "{}")}}), chat.finish()]),
        ["Look", ("f", "{}", "")],
    ),
    "an empty object before the pieces of the arguments": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", {})})),
                chat.arguments('{"a":1}'),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "a")],
    ),
    # llama.cpp tools/server/README.md; the chunks of the server in xllamacpp 2026.10, recorded by hand.
    "llama.cpp: content null first, usage with timings after the finish": (
        sse_bytes(
            [
                chat.role(),
                chat.text("Hi"),
                chat.text("."),
                chat.finish(),
                {**chat.usage(17, 20, prompt_tokens_details={"cached_tokens": 3}), "timings": {"cache_n": 3}},
            ]
        ),
        ["Hi.", (17, 3, 20)],
    ),
    # github.com/openai/codex/issues/7517: id and name once, then argument pieces by index.
    "llama.cpp: arguments in pieces after reasoning_content": (
        sse_bytes(
            [
                chat.role(),
                chat.reasoning("Look"),
                chat.reasoning(" first"),
                delta(tools({"index": 0, "id": "a", "type": "function", "function": fn("shell", "{")})),
                chat.arguments('"command":'),
                chat.arguments('["ls"]}'),
                chat.finish("tool_calls"),
            ]
        ),
        [{"reasoning": "Look first"}, ("shell", '{"command":["ls"]}', "a")],
    ),
    # docs.vllm.ai, "Reasoning outputs"; parallel calls interleaved by index.
    "vLLM: role repeated, reasoning_content then calls by index, usage in every chunk": (
        sse_bytes(
            [
                delta(
                    {"role": "assistant", "content": ""}, usage={"prompt_tokens": 9, "completion_tokens": 0}
                ),
                delta({"reasoning_content": "Hm"}),
                delta(
                    tools({"index": 0, "id": "chatcmpl-tool-1", "type": "function", "function": fn("f", "")})
                ),
                delta(
                    tools({"index": 1, "id": "chatcmpl-tool-2", "type": "function", "function": fn("g", "")})
                ),
                delta(tools({"index": 1, "function": fn(arguments='{"b":2}')})),
                delta(tools({"index": 0, "function": fn(arguments='{"a":1}')})),
                delta({"content": ""}, "tool_calls"),
                {"choices": [], "usage": {"prompt_tokens": 9, "total_tokens": 29, "completion_tokens": 20}},
            ]
        ),
        [
            {"reasoning": "Hm"},
            ("f", '{"a":1}', "chatcmpl-tool-1"),
            ("g", '{"b":2}', "chatcmpl-tool-2"),
            (9, 0, 20),
        ],
    ),
    # docs.vllm.ai, "Reasoning outputs", 2026: the field is `reasoning`; both are sent while it is renamed.
    "vLLM: the same reasoning in both of its fields": (
        sse_bytes([delta({"reasoning": "Hm", "reasoning_content": "Hm"}), chat.text("x"), chat.finish()]),
        [{"reasoning": "Hm"}, "x"],
    ),
    # github.com/ollama/ollama docs/openai.md: whole calls in one chunk, reasoning, `stop` or `tool_calls` afterwards.
    "Ollama: whole calls, content empty, reasoning": (
        sse_bytes(
            [
                delta({"role": "assistant", "content": "", "reasoning": "Let me see"}),
                delta(
                    tools(
                        {"index": 0, "id": "call_1", "type": "function", "function": fn("f", '{"a":1}')},
                        {"index": 1, "id": "call_2", "type": "function", "function": fn("f", '{"a":2}')},
                        role="assistant",
                        content="",
                    )
                ),
                delta({"role": "assistant", "content": ""}, "tool_calls"),
                {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}},
            ]
        ),
        [{"reasoning": "Let me see"}, ("f", '{"a":1}', "call_1"), ("f", '{"a":2}', "call_2"), (5, 0, 7)],
    ),
    # github.com/ollama/ollama/issues/7881: every parallel call has index 0.
    "Ollama: parallel calls that all have index 0": (
        sse_bytes(
            [
                delta(
                    tools({"index": 0, "id": "call_1", "type": "function", "function": fn("f", '{"a":1}')})
                ),
                delta(
                    tools({"index": 0, "id": "call_2", "type": "function", "function": fn("g", '{"a":2}')})
                ),
                chat.finish("stop"),
            ]
        ),
        [("f", '{"a":1}', "call_1"), ("g", '{"a":2}', "call_2")],
    ),
    # lmstudio.ai/docs/app/api/tools, "Streaming": the name comes alone, then pieces.
    "LM Studio: id as a number in a text, name first, arguments token by token": (
        sse_bytes(
            [
                delta({"role": "assistant"}),
                delta(tools({"index": 0, "id": "365174485", "type": "function", "function": fn("f", "")})),
                delta(tools({"index": 0, "type": "function", "function": fn(arguments='{"')})),
                delta(tools({"index": 0, "type": "function", "function": fn(arguments='a":1}')})),
                delta({}, "tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "365174485")],
    ),
    # openrouter.ai/docs/api-reference/streaming and /docs/use-cases/reasoning-tokens.
    "OpenRouter: comments, reasoning with details, usage with a delta": (
        b": OPENROUTER PROCESSING\n\n"
        + sse_bytes(
            [
                delta(
                    {
                        "role": "assistant",
                        "content": "",
                        "reasoning": "Hm",
                        "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "index": 0}],
                    }
                ),
                b": OPENROUTER PROCESSING\n\n",
                delta({"role": "assistant", "content": "Hi"}),
                delta({"role": "assistant", "content": ""}, "stop", native_finish_reason="completed"),
                delta(
                    {"role": "assistant", "content": ""},
                    usage={
                        "prompt_tokens": 8,
                        "completion_tokens": 4,
                        "total_tokens": 12,
                        "cost": 0.1,
                        "prompt_tokens_details": {"cached_tokens": 2},
                        "completion_tokens_details": {"reasoning_tokens": 1},
                    },
                ),
            ]
        ),
        [{"reasoning": "Hm"}, "Hi", (8, 2, 4)],
    ),
    # docs.mistral.ai/capabilities/reasoning: content is a list of chunks; calls have ids of nine characters.
    "Mistral: thinking as parts of the content, whole calls": (
        sse_bytes(
            [
                delta({"role": "assistant", "content": ""}),
                delta({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let"}]}]}),
                delta({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": " me"}]}]}),
                delta({"content": [{"type": "text", "text": "See:"}]}),
                delta(
                    tools({"id": "D681PevKs", "function": fn("f", '{"a": 1}'), "index": 0}),
                    "tool_calls",
                    usage={"prompt_tokens": 6, "completion_tokens": 3, "total_tokens": 9},
                ),
            ]
        ),
        [{"reasoning": "Let me"}, "See:", ("f", '{"a": 1}', "D681PevKs"), (6, 0, 3)],
    ),
    # api-docs.deepseek.com/guides/thinking_mode and /guides/kv_cache: content null while it thinks.
    "DeepSeek: content null with reasoning_content, cache hits": (
        sse_bytes(
            [
                delta({"role": "assistant", "content": None, "reasoning_content": ""}),
                delta({"content": None, "reasoning_content": "Sum"}),
                delta({"content": "2", "reasoning_content": None}),
                delta(
                    {"content": "", "reasoning_content": None},
                    "stop",
                    usage={
                        "prompt_tokens": 100,
                        "completion_tokens": 5,
                        "total_tokens": 105,
                        "prompt_cache_hit_tokens": 64,
                        "prompt_cache_miss_tokens": 36,
                    },
                ),
            ]
        ),
        [{"reasoning": "Sum"}, "2", (100, 64, 5)],
    ),
    # learn.microsoft.com, "Content streaming": filter results first, with no choices.
    "Azure: a first chunk without choices": (
        sse_bytes(
            [
                {"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "usage": None},
                delta({"role": "assistant", "content": ""}),
                chat.text("Hi"),
                chat.finish(),
            ]
        ),
        ["Hi"],
    ),
    # github.com/AstrBotDevs/AstrBot/pull/6692: Gemini's endpoint leaves the index out.
    "Gemini: calls without an index, each with a finish": (
        sse_bytes(
            [
                delta(tools({"id": "x", "type": "function", "function": fn("f", '{"a":1}')}), "tool_calls"),
                delta(tools({"id": "y", "type": "function", "function": fn("f", '{"a":2}')}), "tool_calls"),
            ]
        ),
        [("f", '{"a":1}', "x"), ("f", '{"a":2}', "y")],
    ),
    # github.com/sgl-project/sglang/issues/7048: only the first of several calls has an id.
    "SGLang: an id that is missing": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("f", "{}")})),
                delta(tools({"index": 1, "id": None, "function": fn("g", '{"b":1}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", "{}", "a"), ("g", '{"b":1}', "")],
    ),
    # github.com/mudler/LocalAI/issues/9722: the same call under several indexes.
    "LocalAI: one call under two indexes": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("exec", "")})),
                delta(tools({"index": 1, "id": "a", "function": fn("exec", '{"cmd":"date"}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("exec", '{"cmd":"date"}', "a")],
    ),
    # github.com/6Kmfi6HP/opencode2api/issues/17: the arguments come under an index of their own.
    "a proxy: arguments without a name under the next index": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "function": fn("bash", "")})),
                delta(tools({"index": 1, "id": None, "function": fn("", '{"cmd":"free -h"}')})),
                chat.finish("tool_calls"),
            ]
        ),
        [("bash", '{"cmd":"free -h"}', "a")],
    ),
    # github.com/aaif-goose/goose/issues/6796: a piece of a call in which everything is null.
    "OpenRouter: a piece of a call that says nothing": (
        sse_bytes(
            [
                delta(tools({"index": 0, "id": "a", "type": "function", "function": fn("f", "{}")})),
                delta(
                    tools(
                        {"index": 0, "id": "", "type": "function", "function": {"arguments": None}},
                        content=None,
                    )
                ),
                delta(tools({"index": 1, "id": "", "type": "function", "function": {"arguments": None}})),
                chat.finish("tool_calls"),
            ]
        ),
        [("f", "{}", "a")],
    ),
}
