from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.errors import StreamBroken
from code_core.protocol.items import (
    CustomToolCall,
    FunctionCall,
    LocalShellAction,
    LocalShellCall,
    Message,
    OutputText,
    Reasoning,
    ReasoningText,
    Refusal,
    SummaryText,
    WebSearchCall,
)
from code_core.wire.response_items import item_from_provider
from support.json_values import JSON

HELLO = Message(role="assistant", content=[OutputText(text="hello")])
HELLO2 = Message(role="assistant", content=[OutputText(text="hel"), OutputText(text="lo")])


@pytest.mark.parametrize(
    ("item", "read"),
    [
        (
            {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
            FunctionCall(name="f", arguments="{}", call_id="c"),
        ),
        (
            {"type": "function_call", "name": "f", "arguments": {"a": [1]}, "call_id": "c"},
            FunctionCall(name="f", arguments='{"a": [1]}', call_id="c"),
        ),
        (
            {"type": "function_call", "name": "f", "call_id": None, "id": "i"},
            FunctionCall(id="i", name="f", arguments="{}", call_id="i"),
        ),
        (
            {"type": "custom_tool_call", "name": "f", "input": "x"},
            CustomToolCall(name="f", input="x", call_id=""),
        ),
        (
            {"type": "local_shell_call", "id": "i", "action": {"type": "exec", "command": ["ls"]}},
            LocalShellCall(id="i", call_id="i", action=LocalShellAction(command=["ls"])),
        ),
        (
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]},
            HELLO,
        ),
        ({"type": "message", "content": "hello"}, HELLO),
        (
            {
                "type": "message",
                "content": [{"type": "output_text", "text": "hello"}, {"type": "output_audio"}, 5],
            },
            HELLO,
        ),
        ({"type": "message", "id": 5, "role": None, "content": {"text": "hello"}}, HELLO),
        ({"type": "message", "content": [{"type": "text", "text": "hello"}]}, HELLO),
        ({"type": "message", "content": ["hel", {"type": "input_text", "text": "lo"}]}, HELLO2),
        (
            {"type": "message", "content": [{"type": "refusal", "refusal": "no"}]},
            Message(role="assistant", content=[Refusal(refusal="no")]),
        ),
        (
            {"type": "function_call", "name": "f", "arguments": None, "call_id": 7, "status": None},
            FunctionCall(name="f", arguments="{}", call_id="7"),
        ),
        (
            {"type": "local_shell_call", "status": None, "call_id": "c", "action": {"command": ["ls"]}},
            LocalShellCall(call_id="c", action=LocalShellAction(command=["ls"])),
        ),
        ({"type": "reasoning"}, Reasoning()),
        ({"type": "reasoning", "summary": None, "encrypted_content": "", "content": []}, Reasoning()),
        (
            {"type": "reasoning", "summary": "s", "content": [{"text": "c"}, {"text": None}, 5]},
            Reasoning(summary=[SummaryText(text="s")], content=[ReasoningText(text="c")]),
        ),
        ({"type": "web_search_call", "id": 1, "action": "x", "status": 5}, WebSearchCall()),
        ({"type": "web_search_call", "id": "w"}, WebSearchCall(id="w")),
        (
            {"type": "web_search_call", "action": {"query": "x"}, "status": "completed"},
            WebSearchCall(action={"query": "x"}, status="completed"),
        ),
        ({"type": "reasoning", "encrypted_content": "x"}, Reasoning(encrypted_content="x")),
        (
            {
                "type": "local_shell_call",
                "status": "in_progress",
                "call_id": "c",
                "action": {"command": ["ls"], "timeout_ms": 5.5, "working_directory": "/"},
            },
            LocalShellCall(
                status="in_progress",
                call_id="c",
                action=LocalShellAction(command=["ls"], timeout_ms=5, working_directory="/"),
            ),
        ),
    ],
)
def test_items_that_a_model_may_send_are_completed(item: dict[str, Any], read: object) -> None:
    assert item_from_provider(item) == read


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "do it"}]},
        {"type": "message", "role": "developer", "content": []},
        {"type": "message", "role": ["assistant"], "content": []},
        {"type": "function_call_output", "call_id": "c", "output": "made up"},
        {"type": "custom_tool_call_output", "call_id": "c", "output": "made up"},
        {"type": "image_generation_call", "id": "i"},
        {"type": "message"},
        {"type": "message", "content": []},
        {"type": "message", "content": [{"type": "output_text", "text": 5}]},
        {"type": "message", "content": [{"type": "output_audio", "text": "x"}]},
        {"type": "function_call", "name": "f", "arguments": "{", "call_id": "c", "status": "incomplete"},
        {"type": ["message"]},
        {},
    ],
)
def test_items_that_a_model_does_not_send_are_left_out(item: dict[str, Any]) -> None:
    assert item_from_provider(item) is None


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({"type": "function_call", "arguments": "{}", "call_id": "c"}, "name"),
        ({"type": "custom_tool_call", "name": "f", "call_id": "c"}, "input"),
        ({"type": "local_shell_call", "call_id": "c"}, "action"),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"command": "ls"}},
            r"item: action\.command is missing or wrong",
        ),
        (
            {"type": "local_shell_call", "call_id": "c", "action": {"type": "eval", "command": ["ls"]}},
            r"action\.type",
        ),
    ],
)
def test_a_broken_item_breaks_the_stream(item: object, field: str) -> None:
    with pytest.raises(StreamBroken, match=field):
        item_from_provider(item)


KINDS = [
    "function_call",
    "custom_tool_call",
    "local_shell_call",
    "message",
    "reasoning",
    "web_search_call",
    "x",
]


@given(
    st.sampled_from(KINDS),
    st.dictionaries(
        st.sampled_from(
            ["name", "arguments", "input", "call_id", "id", "action", "content", "role", "summary"]
        ),
        JSON,
    ),
)
def test_anything_else_is_read_left_out_or_breaks_the_stream(kind: str, fields: dict[str, Any]) -> None:
    try:
        item = item_from_provider({**fields, "type": kind})
    except StreamBroken:
        return
    assert item is None or item.type == kind
    assert not isinstance(item, Message) or item.role == "assistant"


@pytest.mark.parametrize(
    ("called", "name"),
    [
        ("shell", "shell"),
        ("functions.shell", "functions_shell"),
        ("a b\n\u00e9", "a_b__"),
        ("", "_"),
        ("n" * 200, "n" * 64),
    ],
)
@pytest.mark.parametrize(
    "kind", [{"type": "function_call", "arguments": "{}"}, {"type": "custom_tool_call", "input": ""}]
)
def test_a_calls_name_is_changed_to_one_that_the_api_accepts(
    kind: dict[str, str], called: str, name: str
) -> None:
    item = item_from_provider({**kind, "call_id": "c1", "name": called})
    assert isinstance(item, FunctionCall | CustomToolCall)
    assert item.name == name
