"""Prompts as requests of Chat Completions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCallOutput,
    InputImage,
    InputText,
    LocalShellAction,
    LocalShellCall,
    Message,
    Reasoning,
    Refusal,
    ResponseItem,
    WebSearchCall,
)
from code_core.protocol.policies import ReasoningEffort, Verbosity
from code_core.wire import chat
from code_core.wire.prompt import ChatQuirks, ModelSettings, Prompt
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, WebSearchSpec
from core.wire.chat_history import ME, PIXEL, assistant, body, called, messages, output, thought, user
from support.chat_rules import violations


def test_a_plain_request() -> None:
    assert body(user("hi")) == {
        "model": "m",
        "messages": [{"role": "system", "content": "be good"}, {"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_one_response_is_one_message_and_each_call_is_answered_after_it() -> None:
    shown = messages(
        user("go"),
        assistant("Both:"),
        called("f", "1", '{"a":1}'),
        called("g", "2"),
        output("2", "two"),
        output("1", "one"),
        assistant("done"),
        user("more"),
    )
    assert shown == [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": "Both:",
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "more"},
    ]


def test_calls_without_a_message_have_an_empty_one() -> None:
    assert messages(user("go"), called("f", "1"), output("1"))[1]["content"] == ""


@pytest.mark.parametrize("freeform", [False, True])
def test_two_responses_in_a_row_stay_two(freeform: bool) -> None:
    items: list[ResponseItem] = [
        item
        for call_id in ("1", "2")
        for item in (
            (
                CustomToolCall(name="p", input="é", call_id=call_id),
                CustomToolCallOutput(call_id=call_id, output="ok"),
            )
            if freeform
            else (called("f", call_id), output(call_id))
        )
    ]
    shown = messages(user("go"), *items)
    assert [message["role"] for message in shown] == ["user", "assistant", "tool", "assistant", "tool"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_sent_back_in_its_field(field: str) -> None:
    shown = messages(user("go"), thought("Hm", field=field), called("f", "1"), output("1"))
    assert shown[1][field] == "Hm"
    assert "reasoning_details" not in shown[1]


def test_details_are_sent_back_unchanged() -> None:
    details = [{"type": "reasoning.encrypted", "data": "x", "index": 0}]
    item = thought("Hm", field="reasoning", chat_details=details)
    shown = messages(user("go"), item, assistant("x"), user("more"))
    assert shown[1] == {"role": "assistant", "content": "x", "reasoning_details": details}


def test_thinking_is_sent_back_as_a_content_part() -> None:
    shown = messages(user("go"), thought("Hm", field="thinking"), assistant("x"), user("more"))
    assert shown[1]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "x"},
    ]
    shown = messages(user("go"), thought("Hm", field="thinking"), called("f", "1"), output("1"))
    assert [part["type"] for part in shown[1]["content"]] == ["thinking"]


@pytest.mark.parametrize(
    ("item", "quirks"),
    [
        (thought("Hm", origin="p/other"), ChatQuirks()),
        (Reasoning(encrypted_content="x", origin="openai"), ChatQuirks()),
        (Reasoning(encrypted_content="x"), ChatQuirks()),
        (thought("Hm"), ChatQuirks(reasoning_history=False)),
        (thought(""), ChatQuirks()),
        (thought("Hm").model_copy(update={"chat_field": None}), ChatQuirks()),
    ],
)
def test_reasoning_from_another_origin_is_left_out(item: Reasoning, quirks: ChatQuirks) -> None:
    assert messages(user("go"), item, assistant("x"), user("more"), quirks=quirks)[1] == {
        "role": "assistant",
        "content": "x",
    }


def test_missing_required_reasoning_is_sent_as_empty() -> None:
    quirks = ChatQuirks(reasoning_required=True)
    shown = messages(
        user("go"), called("f", "1"), output("1"), thought("Hm"), called("f", "2"), output("2"), quirks=quirks
    )
    assert [shown[1]["reasoning_content"], shown[3]["reasoning_content"]] == ["", "Hm"]


def test_items_specific_to_the_responses_api_are_translated() -> None:
    shown = messages(
        user("go"),
        CustomToolCall(name="apply_patch", input='*** "Begin"', call_id="1"),
        LocalShellCall(
            call_id="2", action=LocalShellAction(command=["ls"], working_directory="/", timeout_ms=5)
        ),
        LocalShellCall(call_id="3", action=LocalShellAction(command=["pwd"])),
        WebSearchCall(id="ws", action={"query": "x"}),
        CustomToolCallOutput(call_id="1", output="patched"),
        output("2", "files"),
        output("3", "/"),
        Message(role="assistant", content=[Refusal(refusal="no more")]),
    )
    given = [
        (call["function"]["name"], json.loads(call["function"]["arguments"]))
        for call in shown[1]["tool_calls"]
    ]
    assert given == [
        ("apply_patch", {"input": '*** "Begin"'}),
        ("shell", {"command": ["ls"], "workdir": "/", "timeout_ms": 5}),
        ("shell", {"command": ["pwd"]}),
    ]
    assert [message["content"] for message in shown[2:]] == ["patched", "files", "/", "no more"]


def test_a_history_may_begin_with_a_response() -> None:
    assert messages(assistant("hi"), user("go")) == [
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "go"},
    ]


def test_arguments_stay_readable() -> None:
    shown = messages(
        user("go"),
        CustomToolCall(name="p", input="é", call_id="1"),
        LocalShellCall(call_id="2", action=LocalShellAction(command=["é"])),
        CustomToolCallOutput(call_id="1", output="ok"),
        output("2"),
    )
    given = [call["function"]["arguments"] for call in shown[1]["tool_calls"]]
    assert given == ['{"input": "é"}', '{"command": ["é"]}']


def test_a_refusal_is_text_whoever_sends_it() -> None:
    refusal, picture = Refusal(refusal="no"), InputImage(image_url=PIXEL)
    assert messages(Message(role="user", content=[refusal])) == [{"role": "user", "content": "no"}]
    assert messages(Message(role="user", content=[refusal, picture]))[0]["content"] == [
        {"type": "text", "text": "no"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]


def test_developer_messages_become_user_messages() -> None:
    item = Message(role="developer", content=[InputText(text="note")])
    assert messages(item) == [{"role": "user", "content": "note"}]


def test_images_are_parts_and_images_from_tools_follow_all_outputs() -> None:
    picture = InputImage(image_url=PIXEL)
    shown = messages(
        Message(role="user", content=[InputText(text="see"), picture]),
        called("f", "1"),
        called("g", "2"),
        FunctionCallOutput(call_id="1", output=[InputText(text="a picture"), picture]),
        output("2"),
        assistant("nice"),
    )
    part = {"type": "image_url", "image_url": {"url": PIXEL}}
    assert shown[0]["content"] == [{"type": "text", "text": "see"}, part]
    assert [message["role"] for message in shown] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "user",
        "assistant",
    ]
    assert shown[2]["content"] == "a picture"
    assert shown[4]["content"] == [{"type": "text", "text": "The images that the tool returned:"}, part]


def test_a_model_without_vision_learns_that_an_image_was_left_out() -> None:
    picture = InputImage(image_url=PIXEL)
    shown = messages(
        Message(role="user", content=[InputText(text="see"), picture]),
        called("f", "1"),
        FunctionCallOutput(call_id="1", output=[InputText(text="one"), picture]),
        images=False,
    )
    note = "[an image, which this model cannot see]"
    assert [message["content"] for message in shown] == [f"see\n\n{note}", "", f"one\n{note}"]


def test_roles_alternate_if_required() -> None:
    quirks = ChatQuirks(alternate_roles=True)
    shown = messages(user("a"), user("b", "c"), assistant("x"), user("d"), quirks=quirks)
    assert [message["content"] for message in shown] == ["a\n\nb\n\nc", "x", "d"]
    picture = Message(role="user", content=[InputImage(image_url=PIXEL)])
    [merged] = messages(user("a"), picture, user("b"), quirks=quirks)
    assert merged["content"] == [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "text", "text": "b"},
    ]
    assert len(messages(user("a"), user("b"))) == 2


def alternates(shown: list[dict[str, Any]]) -> bool:
    """The check in the templates of Mistral's models, which ignore calls and outputs."""
    counted = [one["role"] for one in shown if one["role"] != "tool" and not one.get("tool_calls")]
    return all((role == "user") == (index % 2 == 0) for index, role in enumerate(counted))


def test_an_assistant_message_is_inserted_between_outputs_and_a_user_message_if_roles_must_alternate() -> (
    None
):
    # github.com/ggml-org/llama.cpp/issues/19851
    quirks = ChatQuirks(alternate_roles=True)
    picture = InputImage(image_url=PIXEL)
    items = (
        user("a"),
        called("f", "1"),
        output("1"),
        user("stop"),
        assistant("stopped"),
        user("look"),
        called("g", "2"),
        FunctionCallOutput(call_id="2", output=[picture]),
        user("and?"),
        assistant("nice"),
    )
    assert alternates(messages(*items, quirks=quirks))
    assert not alternates(messages(*items))


def test_ids_are_short_if_required() -> None:
    quirks = ChatQuirks(short_call_ids=True)
    items = (
        user("go"),
        called("f", "call_1"),
        called("f", "D681PevKs"),
        output("call_1"),
        output("D681PevKs"),
    )
    shown = messages(*items, quirks=quirks)
    ids = [call["id"] for call in shown[1]["tool_calls"]]
    assert ids == [message["tool_call_id"] for message in shown[2:]]
    assert ids[1] == "D681PevKs"
    assert len(ids[0]) == 9
    assert ids[0].isalnum()
    assert messages(*items)[1]["tool_calls"][0]["id"] == "call_1"


def test_all_tools_become_functions() -> None:
    tools = (
        FunctionSpec("f", "does", {"type": "object"}),
        FreeformSpec("p", "d", "g", "manual"),
        WebSearchSpec(),
    )
    prompt = Prompt(ModelSettings("m", freeform_tools=True), "c", "i", [user("go")], tools)
    request = chat.request_body(prompt, ME)
    assert violations(request) == []
    assert request["tools"][0] == {
        "type": "function",
        "function": {"name": "f", "description": "does", "parameters": {"type": "object"}},
    }
    assert [tool["function"]["description"] for tool in request["tools"]] == ["does", "manual"]
    assert (request["tool_choice"], request["parallel_tool_calls"]) == ("auto", True)
    without = chat.request_body(replace(prompt, settings=ModelSettings("m", tools=False)), ME)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & without.keys()
    one = chat.request_body(replace(prompt, settings=ModelSettings("m", parallel_tool_calls=False)), ME)
    assert one["parallel_tool_calls"] is False


def test_settings_have_their_fields() -> None:
    settings: dict[str, Any] = {
        "reasoning": True,
        "effort": ReasoningEffort.LOW,
        "verbosity": Verbosity.HIGH,
        "max_output": 9,
    }
    request = body(user("hi"), **settings)
    assert (request["reasoning_effort"], request["verbosity"], request["max_tokens"]) == ("low", "high", 9)
    quirks = ChatQuirks(
        effort_field="reasoning", max_tokens_field="max_completion_tokens", stream_usage=False
    )
    request = body(user("hi"), quirks=quirks, **settings)
    assert (request["reasoning"], request["max_completion_tokens"]) == ({"effort": "low"}, 9)
    assert not {"reasoning_effort", "max_tokens", "stream_options"} & request.keys()
    assert "reasoning_effort" not in body(user("hi"), effort=ReasoningEffort.LOW)
    assert "reasoning_effort" not in body(user("hi"), quirks=ChatQuirks(effort_field="none"), **settings)
    role = chat.request_body(
        Prompt(ModelSettings("m", chat=ChatQuirks(system_role="developer")), "c", "i", []), ME
    )
    assert role["messages"] == [{"role": "developer", "content": "i"}]


def test_a_schema_is_a_response_format() -> None:
    request = chat.request_body(
        Prompt(ModelSettings("m"), "c", "i", [user("x")], output_schema={"type": "object"}), ME
    )
    assert request["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "code_output_schema", "strict": True, "schema": {"type": "object"}},
    }


def test_rejected_fields_are_omitted_and_the_users_are_added() -> None:
    settings = ModelSettings("m", extra_body={"top_k": 5, "stream_options": {"x": 1}})
    prompt = Prompt(settings, "c", "i", [user("x")], [FunctionSpec("f", "", {})])
    request = chat.request_body(prompt, ME, frozenset({"parallel_tool_calls"}))
    assert "parallel_tool_calls" not in request
    assert (request["top_k"], request["stream_options"]) == (5, {"x": 1})
