"""The rules that strict Chat Completions servers enforce with a 400.

Source: the OpenAI API reference, "Create chat completion", as of October 2025; the chat templates
of Qwen, Mistral and Gemma for what they cannot render.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import from_json

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KNOWN = frozenset(
    "model messages stream stream_options tools tool_choice parallel_tool_calls max_tokens "
    "max_completion_tokens response_format reasoning_effort reasoning verbosity".split()
)


def violations(body: object) -> list[str]:
    """The faults of a request's decoded body; empty for a valid one."""
    if not isinstance(body, dict):
        return ["the body is not an object"]
    problems = [f"{name} is not a field" for name in body if name not in _KNOWN]
    if body.get("stream") is not True:
        problems.append("stream is not true")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return [*problems, "messages is not a list of messages"]
    return [*problems, *_tools(body), *_messages(messages)]


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    if "tools" not in body and ("tool_choice" in body or "parallel_tool_calls" in body):
        yield "tool_choice or parallel_tool_calls without tools"
    for tool in body.get("tools", ()):
        if set(tool) != {"type", "function"} or tool["type"] != "function":
            yield "a tool is not a function"
        elif not _NAME.fullmatch(tool["function"]["name"]):
            yield "a function has no name"


def _messages(messages: list[Mapping[str, Any]]) -> Iterator[str]:
    open_calls: list[str] = []
    for number, message in enumerate(messages):
        role, content = message.get("role"), message.get("content")
        if role == "system" and number:
            yield f"message {number}: the system message is not the first"
        if role not in {"system", "developer", "user", "assistant", "tool"}:
            yield f"message {number}: the role {role!r} is not known"
        if content is None:
            yield f"message {number}: content is null"
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                yield f"message {number}: answers no call of the message before"
            else:
                open_calls.remove(message["tool_call_id"])
            continue
        if open_calls:
            yield f"message {number}: calls before it are not answered"
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
        if len({*open_calls, ""}) != len(open_calls) + 1:
            yield f"message {number}: ids of calls are empty or repeated"
        if role == "assistant" and not content and not open_calls:
            yield f"message {number}: neither content nor calls"
        for call in message.get("tool_calls", ()):
            try:
                arguments = from_json(call["function"]["arguments"])
            except ValueError:
                arguments = None
            if not isinstance(arguments, dict):
                yield f"message {number}: arguments are not an object"
    if open_calls:
        yield "the last calls are not answered"
