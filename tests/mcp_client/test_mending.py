"""Servers that violate the protocol."""

from typing import Any

import mcp_types as types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from code_mcp_client.mending import mended_contents, mended_prompt, mended_result, mended_tools

GOOD = {"name": "good", "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
OBJECT = {"type": "object"}


def listed(*tools: Any, version: str = "2025-06-18") -> tuple[list[types.Tool], list[str]]:
    page, problems = mended_tools({"tools": list(tools), "nextCursor": "2"}, version)
    assert page["nextCursor"] == "2"
    return types.ListToolsResult.model_validate(page, by_name=False).tools, problems


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
@pytest.mark.parametrize(
    ("odd", "mended"),
    [
        ({"inputSchema": {}}, {"inputSchema": OBJECT}),
        ({}, {"inputSchema": OBJECT}),
        ({"inputSchema": None}, {"inputSchema": OBJECT}),
        ({"inputSchema": [1]}, {"inputSchema": OBJECT}),
        ({"inputSchema": {"type": "string"}}, {"inputSchema": OBJECT}),
        ({"inputSchema": {"type": "object", "properties": {"a": 3}}}, {"inputSchema": OBJECT}),
        ({"inputSchema": {"oneOf": [OBJECT]}}, {"inputSchema": {**OBJECT, "oneOf": [OBJECT]}}),
        ({"inputSchema": OBJECT, "outputSchema": {"$id": "x"}}, {"inputSchema": OBJECT}),
        ({"inputSchema": OBJECT, "outputSchema": 3}, {"inputSchema": OBJECT}),
        ({"inputSchema": OBJECT, "description": 3, "title": []}, {"inputSchema": OBJECT}),
        ({"inputSchema": OBJECT, "annotations": 3, "_meta": 3, "icons": 3}, {"inputSchema": OBJECT}),
    ],
)
def test_an_invalid_tool_is_repaired_and_the_others_are_kept(
    odd: dict[str, Any], mended: dict[str, Any], version: str
) -> None:
    (good, bad), problems = listed(GOOD, {"name": "bad", **odd}, version=version)
    assert problems == []
    assert good == types.Tool.model_validate(GOOD, by_name=False)
    seen = bad.model_dump(by_alias=True, exclude_none=True)
    seen.pop("outputSchema", None)
    assert seen == {"name": "bad", **mended}


def test_only_the_invalid_hint_is_dropped() -> None:
    hints = {"readOnlyHint": True, "destructiveHint": "maybe"}
    ([tool], _) = listed({**GOOD, "annotations": hints})
    assert tool.annotations == types.ToolAnnotations(read_only_hint=True)


@pytest.mark.parametrize("odd", [3, None, [], {}, {"name": 3}, {"name": ""}, {"name": None, **OBJECT}])
def test_an_entry_that_is_not_a_tool_is_left_out_and_reported(odd: Any) -> None:
    (good,), (problem,) = listed(odd, GOOD)
    assert good.name == "good"
    assert "a tool that cannot be used was left out" in problem


@pytest.mark.parametrize("page", [{}, {"tools": 3}, {"tools": {"a": 1}}])
def test_anything_except_a_list_is_not_changed(page: dict[str, Any]) -> None:
    assert mended_tools(page, "2025-06-18") == (page, [])


def result(raw: dict[str, Any]) -> types.CallToolResult:
    return types.CallToolResult.model_validate(mended_result(raw), by_name=False)


def test_an_invalid_part_is_described_and_the_others_are_kept() -> None:
    text, picture = {"type": "text", "text": "fine"}, {"type": "picture", "of": "x" * 1000}
    content = result({"content": [text, picture, "bare", {"type": "text", "text": {"a": 1}}, 3]}).content
    texts = [block.text for block in content if isinstance(block, types.TextContent)]
    assert texts[0] == "fine"
    assert texts[1].startswith('[a part that cannot be read: {"type":"picture","of":"xxx')
    assert len(texts[1]) < 300
    assert texts[2:] == ["bare", '{"a":1}', "[a part that cannot be read: 3]"]


@pytest.mark.parametrize(
    ("odd", "is_error"),
    [
        *((True, True), (False, False), (None, False), ("maybe", True), ({}, True)),
    ],
)
def test_a_flag_that_cannot_be_read_counts_as_a_failure(odd: object, is_error: bool) -> None:
    assert result({"content": [], "isError": odd, "_meta": 3}).is_error is is_error


def test_text_instead_of_parts_and_structured_content_alone_are_accepted() -> None:
    assert result({"content": "all"}).content == [types.TextContent(type="text", text="all")]
    assert result({"structuredContent": {"a": 1}}).structured_content == {"a": 1}


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        ({}, []),
        ({"content": None}, []),
        ({"toolResult": "old"}, [{"type": "text", "text": "old"}]),
        ({"content": {"type": "text", "text": "one"}}, [{"type": "text", "text": "one"}]),
        ({"content": [{"type": "text", "text": None}]}, [{"type": "text", "text": ""}]),
        (
            {"content": [{"type": "image", "data": "AA"}]},
            [{"type": "image", "data": "AA", "mimeType": "image/*"}],
        ),
        (
            {"content": [{"type": "audio", "data": "AA", "mimeType": 3}]},
            [{"type": "audio", "data": "AA", "mimeType": "audio/*"}],
        ),
        (
            {"content": [{"type": "resource_link", "uri": "x:y", "size": "big"}]},
            [{"type": "resource_link", "uri": "x:y", "name": "x:y"}],
        ),
        (
            {"content": [{"type": "resource", "resource": {"text": "body"}}]},
            [{"type": "text", "text": "body"}],
        ),
    ],
)
def test_content_with_a_clear_meaning_is_accepted(raw: dict[str, Any], content: list[Any]) -> None:
    shown = result(raw).model_dump(by_alias=True, exclude_none=True)
    assert (shown["content"], shown["isError"]) == (content, False)


@pytest.mark.parametrize(
    ("contents", "mended"),
    [
        (None, []),
        ("text", [{"uri": "x:y", "text": "text"}]),
        ({"text": "a"}, [{"uri": "x:y", "text": "a"}]),
        ([{"uri": "x:1", "text": "a", "mimeType": 3}], [{"uri": "x:1", "text": "a"}]),
        ([{"blob": "AA", "mimeType": "image/png"}], [{"uri": "x:y", "blob": "AA", "mimeType": "image/png"}]),
        ([{"uri": "x:1", "text": "a"}, 3], [{"uri": "x:1", "text": "a"}, {"uri": "x:y", "text": "[a part"}]),
    ],
)
def test_an_invalid_part_of_a_resource_does_not_hide_the_others(contents: Any, mended: list[Any]) -> None:
    raw = {} if contents is None else {"contents": contents}
    read = types.ReadResourceResult.model_validate(mended_contents(raw, "x:y"), by_name=False)
    shown = [part.model_dump(by_alias=True, exclude_none=True) for part in read.contents]
    for part in shown:
        if part.get("text", "").startswith("[a part that cannot be read"):
            part["text"] = "[a part"
    assert shown == mended


@pytest.mark.parametrize(
    ("messages", "mended"),
    [
        (None, []),
        ("do it", [("user", "do it")]),
        ([{"role": "assistant", "content": "sure"}], [("assistant", "sure")]),
        (
            [{"role": "system", "content": [{"type": "text", "text": "a"}, "b"]}, 3],
            [("user", "a"), ("user", "b"), ("user", "[a part that cannot be read: 3]")],
        ),
    ],
)
def test_an_invalid_message_of_a_prompt_does_not_hide_the_others(messages: Any, mended: list[Any]) -> None:
    raw = {} if messages is None else {"messages": messages}
    prompt = types.GetPromptResult.model_validate(mended_prompt(raw), by_name=False)
    assert [(one.role, getattr(one.content, "text", None)) for one in prompt.messages] == mended


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("text"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "type", "text", "inputSchema", "properties", "data", "annotations"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.lists(JSON, max_size=4))
@settings(deadline=None)
def test_any_list_and_any_parts_become_valid(values: list[Any]) -> None:
    tools, problems = listed(*values)
    assert len(tools) + len(problems) == len(values)
    assert len(result({"content": values}).content) == len(values)
    types.ReadResourceResult.model_validate(mended_contents({"contents": values}, "x:y"), by_name=False)
    types.GetPromptResult.model_validate(mended_prompt({"messages": values}), by_name=False)
