from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import responses_events as sse
from support import violations
from support.json_values import JSON

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
THOUGHT = {"type": "reasoning", "summary": [], "encrypted_content": "blob"}
SEARCH = {"type": "web_search_call", "status": "completed"}
CALL = {"type": "function_call", "name": "shell", "arguments": "{}", "call_id": "f"}
CALLED = {"type": "function_call_output", "call_id": "f", "output": "done"}
CUSTOM = {"type": "custom_tool_call", "name": "apply_patch", "input": "x", "call_id": "c"}
CUSTOM_DONE = {"type": "custom_tool_call_output", "call_id": "c", "output": "done"}
SHELL = {"type": "local_shell_call", "call_id": "s", "status": "completed", "action": {"type": "exec"}}
SHELL_DONE = {"type": "function_call_output", "call_id": "s", "output": [{"type": "input_text", "text": "x"}]}


def body(*items: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "stream": True, "store": False, "input": [*items], **fields}


@pytest.mark.parametrize(
    "items",
    [
        [USER],
        [USER, SAID, USER],
        [USER, {**USER, "role": "developer"}, {**USER, "role": "system", "content": "text"}],
        [USER, CALL, CALLED],
        [USER, CUSTOM, CUSTOM_DONE],
        [USER, SHELL, SHELL_DONE],
        [USER, CALL, CUSTOM, SHELL, SHELL_DONE, CUSTOM_DONE, CALLED],
        [USER, THOUGHT, SAID],
        [USER, THOUGHT, THOUGHT, CALL, CALLED],
        [USER, THOUGHT, SEARCH, SAID],
        [{**USER, "content": [{"type": "input_image", "image_url": "data:,"}]}],
        [{**SAID, "content": [{"type": "refusal", "refusal": "no"}]}],
    ],
)
def test_requests_that_the_api_accepts(items: list[dict[str, Any]]) -> None:
    assert violations(body(*items)) == []


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([USER, CALL], "no output for the call 'f'"),
        ([USER, SHELL], "no output for the call 's'"),
        ([USER, CUSTOM], "no output for the call 'c'"),
        ([USER, CALLED], "an output for 'f', which is not waiting for one"),
        ([USER, CALL, CALLED, CALLED], "an output for 'f', which is not waiting for one"),
        ([USER, CALL, CALLED, CALL, CALLED], "the call id 'f' is used twice"),
        (
            [USER, CALL, {**CUSTOM, "call_id": "f"}, {**CUSTOM_DONE, "call_id": "f"}],
            "the call id 'f' is used twice",
        ),
        ([USER, CALL, {**CUSTOM_DONE, "call_id": "f"}], "the output for 'f' is of the wrong type"),
        ([USER, CUSTOM, {**CALLED, "call_id": "c"}], "the output for 'c' is of the wrong type"),
        ([USER, SHELL, {**CUSTOM_DONE, "call_id": "s"}], "the output for 's' is of the wrong type"),
        ([USER, {**CALL, "call_id": ""}], "item 1: call_id is not an id"),
        ([USER, {**CALLED, "call_id": 5}], "item 1: call_id is not an id"),
        ([USER, {**CALL, "arguments": {}}, CALLED], "item 1: arguments is not text"),
        ([USER, {**CALL, "name": "a b"}, CALLED], "item 1: 'a b' is not the name of a tool"),
        ([USER, {**CALL, "name": "x" * 65}, CALLED], f"item 1: {'x' * 65!r} is not the name of a tool"),
        ([USER, {**CUSTOM, "input": None}, CUSTOM_DONE], "item 1: input is not text"),
        ([USER, CALL, {**CALLED, "output": {}}], "item 2: output is neither text nor content"),
        ([{**USER, "role": "tool"}], "item 0: unknown role 'tool'"),
        ([{**USER, "role": ["user"]}], "item 0: unknown role ['user']"),
        ([{**USER, "content": None}], "item 0: content is neither text nor a list"),
        ([{**USER, "content": ["x"]}], "item 0: content '' in a message of the user"),
        (
            [{**USER, "content": SAID["content"]}],
            "item 0: content 'output_text' in a message of the user",
        ),
        (
            [{**SAID, "content": USER["content"]}],
            "item 0: content 'input_text' in a message of the assistant",
        ),
        ([{"type": "hologram"}], "item 0: unknown type 'hologram'"),
        ([{**USER, "id": "msg-1"}], "item 0: has an id although nothing is stored"),
        ([USER, THOUGHT], "item 1: reasoning without the item that must follow it"),
        ([USER, THOUGHT, USER], "item 1: reasoning without the item that must follow it"),
        ([USER, "text"], "item 1 is not an object"),
    ],
)
def test_inputs_that_the_api_rejects(items: list[Any], problem: str) -> None:
    assert problem in violations(body(*items))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"model": ""}, "model is not a name"),
        ({"model": None}, "model is not a name"),
        ({"stream": False}, "stream is not true"),
        ({"store": None}, "store is neither true nor false"),
        ({"input": []}, "input is not a list of items"),
        ({"input": "hi"}, "input is not a list of items"),
    ],
)
def test_other_fields_that_the_api_rejects(fields: dict[str, Any], problem: str) -> None:
    assert violations({**body(USER), **fields}) == [problem]


def test_ids_may_be_sent_back_if_responses_are_stored() -> None:
    assert violations(body({**USER, "id": "msg-1"}, store=True)) == []


def test_calls_from_the_builders_are_accepted_with_their_outputs() -> None:
    calls = [
        sse.function_call("shell", {}, "f")["item"],
        sse.custom_tool_call("apply_patch", "x", "c")["item"],
        sse.local_shell_call(["ls"], "s")["item"],
    ]
    model = [
        sse.reasoning("why", "blob")["item"],
        sse.message("hi")["item"],
    ]
    assert violations(body(USER, *model, *calls, CALLED, CUSTOM_DONE, SHELL_DONE, store=True)) == []


ODD_CONTENT = st.sampled_from(["user", "assistant"]) | st.lists(
    st.fixed_dictionaries({"type": JSON}), max_size=2
)
ODD_ITEMS = st.lists(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message", "reasoning", "function_call", "function_call_output"]) | JSON},
        optional=dict.fromkeys(
            ("role", "content", "call_id", "output", "name", "arguments"), JSON | ODD_CONTENT
        ),
    )
)


@given(JSON | ODD_ITEMS.map(lambda items: body(*items)))
def test_any_body_can_be_checked(anything: Any) -> None:
    assert all(violations(anything))
