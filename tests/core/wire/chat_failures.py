"""Streams of Chat Completions that fail, as servers and providers send them, with the beginning of the error.

Each row is written from its server's documentation or a public report.
"""

from core.wire.chat_reading import sse_bytes
from support import chat_chunks as chat

FAILURES: dict[str, tuple[bytes, str]] = {
    "cut off by the output limit": (
        sse_bytes([chat.text("x"), chat.finish("length"), chat.usage()]),
        "RequestRefused max_output: the response reached the model's output limit",
    ),
    "Mistral: cut off by the window": (
        sse_bytes([chat.text("x"), chat.finish("model_length")]),
        "RequestRefused max_output: ",
    ),
    "Gemini: the finish reason in capitals": (
        sse_bytes([chat.text("x"), chat.finish("MAX_TOKENS")]),
        "RequestRefused max_output: ",
    ),
    "arguments without a name after a call that has its own": (
        sse_bytes([chat.call("f", "{}", "1"), chat.arguments('{"a":1}', 1), chat.finish("tool_calls")]),
        "StreamBroken stream: the provider sent a call without a name",
    ),
    "too many requests": (
        sse_bytes([{"error": {"code": 429, "message": "try again in 1.5s"}}]),
        "StreamBroken provider: the response failed (429): try again in 1.5s",
    ),
    "stopped by a filter": (
        sse_bytes([chat.text("x"), chat.finish("content_filter")]),
        "RequestRefused refused: the provider's content filter",
    ),
    # github.com/can1357/oh-my-pi/issues/2774: Ollama cuts the prompt to its window, and has no room for an answer.
    "Ollama: a prompt that fills the window": (
        sse_bytes([chat.role(), chat.finish("length"), chat.usage(32_767, 1)]),
        "ContextWindowExceeded context_window: the prompt fills the model's context window",
    ),
    # github.com/ollama/ollama/issues/18107
    "Ollama: a prompt that was cut before its question": (
        sse_bytes([{"error": {"message": "no user query found in messages", "type": "api_error"}}]),
        "ContextWindowExceeded context_window: ",
    ),
    "a call that the output limit cut off": (
        sse_bytes([chat.call("f", '{"a', "1"), chat.finish("length")]),
        "RequestRefused max_output: ",
    ),
    # openrouter.ai/docs/api-reference/errors, "Streaming".
    "OpenRouter: an error within the stream": (
        sse_bytes(
            [
                chat.text("x"),
                {
                    "error": {"code": 502, "message": "Provider disconnected"},
                    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                },
            ]
        ),
        "StreamBroken provider: the response failed (502): Provider disconnected",
    ),
    "OpenRouter: no credit left": (
        sse_bytes([{"error": {"code": 402, "message": "Insufficient credits"}, "choices": []}]),
        "RequestRefused usage_limit: the response failed (402): Insufficient credits",
    ),
    "DeepSeek: out of resources": (
        sse_bytes([chat.text("x"), chat.finish("insufficient_system_resource")]),
        "StreamBroken provider: the response failed (finish_reason insufficient_system_resource)",
    ),
    # github.com/unslothai/unsloth/pull/9390: llama-server reports an overflow as an event.
    "llama.cpp: the context is full in the middle of the stream": (
        sse_bytes(
            [
                chat.text("x"),
                b'error: {"code":400,"message":"ignored"}\n\n',
                {
                    "error": {
                        "code": 400,
                        "message": "request (2358 tokens) exceeds the available context size (2048 tokens), try increasing it",
                        "type": "exceed_context_size_error",
                        "n_ctx": 2048,
                    }
                },
            ]
        ),
        "ContextWindowExceeded context_window: ",
    ),
    # lmstudio.ai: `event: error` frames.
    "LM Studio: an error event about the context": (
        b"event: error\n"
        + sse_bytes(
            [
                {
                    "error": {
                        "message": "Trying to keep the first 4567 tokens when context the overflows. However, the "
                        "model is loaded with context length of only 4096 tokens"
                    }
                }
            ]
        ),
        "ContextWindowExceeded context_window: ",
    ),
    "vLLM: an error object without choices": (
        sse_bytes(
            [{"object": "error", "message": "engine died", "type": "InternalServerError", "code": 500}]
        ),
        "StreamBroken provider: the response failed (500): engine died",
    ),
    "an error event that is a text": (
        b'event: error\ndata: "no room"\n\n',
        "StreamBroken provider: the response failed (no code): no room",
    ),
    "an error event without a message": (
        b'event: error\ndata: {"code": "slow_down"}\n\n',
        "RequestRefused provider: the provider asks for fewer requests: try again later (slow_down: no message)",
    ),
    "an error as a list": (
        sse_bytes([{"error": ["no room"]}]),
        "StreamBroken provider: the response failed (no code): ['no room']",
    ),
    "an error in the choice": (
        sse_bytes([{"choices": [{"delta": {}, "error": {"code": 502, "message": "no room"}}]}]),
        "StreamBroken provider: the response failed (502): no room",
    ),
    "an error object without a message": (
        sse_bytes([{"object": "error", "code": 500}]),
        "StreamBroken provider: the response failed (500): no message",
    ),
    "nothing but a detail": (
        sse_bytes([{"detail": "no room"}]),
        "StreamBroken provider: the response failed (no code): no room",
    ),
    "an error as a text": (
        sse_bytes([{"error": "no room"}]),
        "StreamBroken provider: the response failed (no code): no room",
    ),
    # github.com/lmstudio-ai/lmstudio-bug-tracker/issues/2339: a prompt over the context, and silence.
    "LM Studio: nothing at all": (
        sse_bytes([chat.role(), chat.finish(), chat.usage()]),
        "StreamBroken stream: the response is empty",
    ),
    "only reasoning": (
        sse_bytes([chat.reasoning("Hm"), chat.finish()]),
        "StreamBroken stream: the response is empty",
    ),
    "an end before the end": (
        sse_bytes([chat.text("x")], done=False),
        "StreamBroken stream: the stream closed before the response was complete",
    ),
    "an end within a call": (
        sse_bytes([chat.call("f", '{"a', "1")], done=False),
        "StreamBroken stream: the stream closed before",
    ),
    "a chunk that is cut": (
        b'data: {"choices":[{"delta":{"content":"x\n\n',
        "StreamBroken stream: the provider sent a chunk that is not JSON",
    ),
    "a call without a name": (
        sse_bytes([chat.arguments('{"a":1}'), chat.finish("tool_calls")]),
        "StreamBroken stream: the provider sent a call without a name",
    ),
}
