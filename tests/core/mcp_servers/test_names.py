import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.mcp_servers.names import parameters, qualified_name

TYPES = {"object", "array", "string", "number", "boolean"}


@pytest.mark.parametrize(
    ("server", "tool", "name"),
    [
        ("docs", "search", "docs__search"),
        ("my-docs", "a.b/c d", "my-docs__a_b_c_d"),
        ("s", "t" * 61, f"s__{'t' * 61}"),
    ],
)
def test_a_tool_has_the_name_of_its_server_before_its_own(server: str, tool: str, name: str) -> None:
    assert qualified_name(server, tool) == name


def test_a_name_that_is_too_long_ends_with_its_hash() -> None:
    one, other = qualified_name("s", "t" * 62), qualified_name("s", "t" * 63)
    assert re.fullmatch(r"s__t{21}[0-9a-f]{40}", one)
    assert one != other


@given(st.from_regex(r"[a-zA-Z0-9_-]{1,80}", fullmatch=True), st.text(min_size=1, max_size=200))
def test_every_name_is_one_that_model_apis_take(server: str, tool: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", qualified_name(server, tool))


@pytest.mark.parametrize(
    ("schema", "reduced"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {
                "type": "object",
                "properties": {"a": True, "b": {}, "c": {"type": "integer"}},
                "required": ["a"],
            },
            {
                "type": "object",
                "properties": {"a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "number"}},
                "required": ["a"],
            },
        ),
        (
            {"properties": {"a": {"type": ["null", "integer"]}, "b": {"enum": ["x"]}, "c": {"minimum": 1}}},
            {
                "type": "object",
                "properties": {
                    "a": {"type": "number"},
                    "b": {"type": "string", "enum": ["x"]},
                    "c": {"type": "number", "minimum": 1},
                },
            },
        ),
        (
            {
                "properties": {
                    "a": {"type": "array"},
                    "b": {"items": {"type": "integer"}},
                    "c": {"anyOf": [{}]},
                }
            },
            {
                "type": "object",
                "properties": {
                    "a": {"type": "array", "items": {"type": "string"}},
                    "b": {"type": "array", "items": {"type": "number"}},
                    "c": {"type": "string"},
                },
            },
        ),
        (
            {
                "properties": {
                    "a": {"$ref": "#/$defs/Point", "description": "where"},
                    "b": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Point"}}, {"type": "null"}]},
                    "c": {"anyOf": [{"type": "integer"}, {"type": "array"}]},
                    "d": {"$ref": "#/$defs/absent"},
                    "e": {"$ref": "elsewhere.json"},
                    "f": {"allOf": [{"$ref": "#/$defs/a~1b"}], "title": "F"},
                },
                "$defs": {
                    "Point": {"type": "object", "properties": {"x": {"type": "integer"}}},
                    "a/b": {"type": "boolean"},
                },
            },
            {
                "type": "object",
                "properties": {
                    "a": {"type": "object", "properties": {"x": {"type": "number"}}, "description": "where"},
                    "b": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"x": {"type": "number"}}},
                    },
                    "c": {"type": "string"},
                    "d": {"type": "string"},
                    "e": {"type": "string"},
                    "f": {"type": "boolean", "title": "F"},
                },
            },
        ),
    ],
)
def test_a_schema_is_reduced_to_what_model_apis_take(schema: dict[str, Any], reduced: dict[str, Any]) -> None:
    assert parameters(schema) == reduced


def test_a_schema_that_grows_without_end_when_its_references_are_followed_is_cut() -> None:
    both = {"type": "object", "properties": {"left": {"$ref": "#/$defs/T"}, "right": {"$ref": "#/$defs/T"}}}
    reduced = parameters({"properties": {"t": {"$ref": "#/$defs/T"}}, "$defs": {"T": both}})
    assert len(json.dumps(reduced)) < 200_000
    assert parameters({"$ref": "#", "properties": {"a": {"$ref": "#/properties/a"}}}) == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["object", "array", "integer", "null", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda name: {"$ref": f"#/properties/{name}"}, st.sampled_from(["anyOf", "items", "x"]))
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "anyOf", "enum", "minimum", "additionalProperties"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "items", "anyOf"]), JSON))
def test_every_part_of_any_schema_has_one_known_type(schema: dict[str, Any]) -> None:
    def check(part: dict[str, Any]) -> None:
        assert part["type"] in TYPES
        for inner in part.get("properties", {}).values() if part["type"] == "object" else ():
            check(inner)
        if part["type"] == "array":
            check(part["items"])

    reduced = parameters(schema)
    assert reduced["type"] == "object"
    check(reduced)
