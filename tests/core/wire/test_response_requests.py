"""Prompts as requests of the Responses API."""

import json
from typing import Any

from code_core.protocol.items import (
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    InputText,
    Message,
    Reasoning,
)
from code_core.protocol.policies import ReasoningEffort, ReasoningSummary, Verbosity
from code_core.wire.prompt import ModelSettings, Prompt
from code_core.wire.request_json import encoded
from code_core.wire.responses import request_body
from code_core.wire.tool_specs import FreeformSpec, FunctionSpec, WebSearchSpec
from core.wire.chat_history import thought, user

USER = Message(role="user", content=[InputText(text="hi")])


def prompt(**settings: Any) -> Prompt:
    return Prompt(ModelSettings("m", **settings), "c", "instructions", [USER])


def test_a_plain_request() -> None:
    assert request_body(prompt()) == {
        "model": "m",
        "instructions": "instructions",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "store": False,
        "stream": True,
        "include": [],
        "prompt_cache_key": "c",
    }


def test_settings_have_their_fields() -> None:
    body = request_body(prompt(verbosity=Verbosity.HIGH, max_output=9, parallel_tool_calls=False), store=True)
    assert (body["text"], body["max_output_tokens"]) == ({"verbosity": "high"}, 9)
    assert (body["parallel_tool_calls"], body["store"]) == (False, True)


def test_reasoning_is_asked_for_only_from_models_that_reason() -> None:
    plain = request_body(prompt(effort=ReasoningEffort.HIGH))
    assert "reasoning" not in plain
    assert plain["include"] == []
    body = request_body(prompt(reasoning=True, effort=ReasoningEffort.LOW, summary=ReasoningSummary.NONE))
    assert body["reasoning"] == {"effort": "low"}
    assert body["include"] == ["reasoning.encrypted_content"]
    body = request_body(prompt(reasoning=True, summary=ReasoningSummary.DETAILED))
    assert body["reasoning"] == {"summary": "detailed"}


def test_tools_are_left_out_when_there_are_none_and_search_at_minimal_effort() -> None:
    assert "tools" not in request_body(prompt())
    tools = (WebSearchSpec(), FunctionSpec("f", "", {}))
    minimal = Prompt(
        ModelSettings("m", reasoning=True, effort=ReasoningEffort.MINIMAL), "c", "i", [USER], tools
    )
    assert [tool["type"] for tool in request_body(minimal)["tools"]] == ["function"]


def test_each_kind_of_tool_is_declared_in_its_own_form() -> None:
    tools = (
        FunctionSpec("f", "does", {"type": "object"}),
        FreeformSpec("p", "edits", "start: x", "write x"),
        WebSearchSpec(),
        WebSearchSpec(allowed_domains=("example.com",)),
    )

    def declared(*, freeform: bool) -> Any:
        return request_body(Prompt(ModelSettings("m", freeform_tools=freeform), "c", "i", [USER], tools))[
            "tools"
        ]

    function, custom, search, narrow = declared(freeform=True)
    assert function == {
        "type": "function",
        "name": "f",
        "description": "does",
        "strict": False,
        "parameters": {"type": "object"},
    }
    assert custom == {
        "type": "custom",
        "name": "p",
        "description": "edits",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
    }
    assert search == {"type": "web_search"}
    assert narrow == {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}}
    as_function = declared(freeform=False)[1]
    assert (as_function["type"], as_function["name"], as_function["description"]) == (
        "function",
        "p",
        "write x",
    )
    assert as_function["parameters"]["required"] == ["input"]


def test_a_model_without_tools_gets_none() -> None:
    tools = (FunctionSpec("f", "", {}),)
    assert "tools" not in request_body(Prompt(ModelSettings("m", tools=False), "c", "i", [USER], tools))


def test_the_text_of_a_freeform_call_stays_readable_in_a_function_call() -> None:
    call = CustomToolCall(name="p", input="é", call_id="1")
    [item] = request_body(Prompt(ModelSettings("m"), "c", "i", [call]))["input"]
    assert item["arguments"] == '{"input": "é"}'


def test_the_responses_api_gets_what_it_knows() -> None:
    items = (
        user("go"),
        Reasoning(encrypted_content="mine", origin="p"),
        Reasoning(encrypted_content="old"),
        Reasoning(encrypted_content="theirs", origin="q"),
        thought("Hm", chat_details=[{"a": 1}]),
        CustomToolCall(name="p", input="x", call_id="1"),
        CustomToolCallOutput(call_id="1", output="ok"),
    )
    plain = request_body(Prompt(ModelSettings("m"), "c", "i", items), "p")["input"]
    assert [item.get("encrypted_content") for item in plain if item["type"] == "reasoning"] == ["mine", "old"]
    assert not any({"origin", "chat_field", "chat_details"} & item.keys() for item in plain)
    assert plain[-2:] == [
        {"type": "function_call", "name": "p", "arguments": '{"input": "x"}', "call_id": "1"},
        {"type": "function_call_output", "call_id": "1", "output": "ok"},
    ]
    freeform = request_body(Prompt(ModelSettings("m", freeform_tools=True), "c", "i", items), "p")["input"]
    assert [item["type"] for item in freeform[-2:]] == ["custom_tool_call", "custom_tool_call_output"]


def test_ids_are_sent_only_where_responses_are_stored() -> None:
    call = FunctionCall(id="fc", name="f", arguments="{}", call_id="1")
    stored = Prompt(ModelSettings("m"), "c", "i", [call, USER])
    assert "id" not in request_body(stored)["input"][0]
    first, second = request_body(stored, store=True)["input"]
    assert first["id"] == "fc"
    assert "id" not in second


def test_a_request_can_always_be_encoded() -> None:
    half = "\ud800"
    asked = Prompt(ModelSettings(f"m{half}"), "c", f"i{half}", [USER], output_schema={half: half})
    body = json.loads(encoded(request_body(asked)))
    repaired = "\N{REPLACEMENT CHARACTER}"
    assert (body["model"], body["instructions"]) == (f"m{repaired}", f"i{repaired}")
    assert body["text"]["format"]["schema"] == {repaired: repaired}
    assert json.loads(encoded(request_body(prompt()))) == request_body(prompt())
    assert encoded({"a": ["b"], "c": 1}) == b'{"a":["b"],"c":1}'
    assert encoded({"a": [half], "c": 1}) == f'{{"a":["{repaired}"],"c":1}}'.encode()


def test_a_schema_becomes_a_format() -> None:
    body = request_body(Prompt(ModelSettings("m"), "c", "i", [USER], output_schema={"type": "object"}))
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "code_output_schema",
        "strict": True,
        "schema": {"type": "object"},
    }
