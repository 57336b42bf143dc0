import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.mcp_servers.schemas import parameters

TYPES = {"object", "array", "string", "number", "boolean"}


@pytest.mark.parametrize(
    ("schema", "reduced"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        (
            {"type": "object", "properties": None, "required": None, "description": None},
            {"type": "object", "properties": {}},
        ),
        (
            {
                "properties": {
                    "a": {"type": "string", "enum": [1, None, "x"], "description": 7},
                    "b": {"type": "string", "enum": [None], "title": None},
                    "c": {"enum": [1, 2.5]},
                    "d": {"const": True},
                    "e": {"enum": [1, "x"]},
                    "f": {"type": "number", "enum": [True, 3]},
                },
                "required": ["a", None],
            },
            {
                "type": "object",
                "properties": {
                    "a": {"type": "string", "enum": ["x"]},
                    "b": {"type": "string"},
                    "c": {"type": "number", "enum": [1, 2.5]},
                    "d": {"type": "boolean", "const": True},
                    "e": {"type": "string", "enum": ["x"]},
                    "f": {"type": "number", "enum": [3]},
                },
                "required": ["a"],
            },
        ),
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
def test_a_schema_is_reduced_to_what_model_apis_accept(
    schema: dict[str, Any], reduced: dict[str, Any]
) -> None:
    assert parameters(schema) == reduced


BOTH = {"type": "object", "properties": {"left": {"$ref": "#/$defs/T"}, "right": {"$ref": "#/$defs/T"}}}
NODE = {
    "type": "object",
    "description": "A node.",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
        "parent": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
}
DOUBLING: dict[str, Any] = {
    str(number): {
        "type": "object",
        "properties": {"a": {"$ref": f"#/$defs/{number + 1}"}, "b": {"$ref": f"#/$defs/{number + 1}"}},
    }
    for number in range(12)
}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"t": {"$ref": "#/$defs/T"}}, "$defs": {"T": BOTH}},
        {"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}},
        {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}},
        {"properties": {"d": {"$ref": "#/$defs/0"}}, "$defs": DOUBLING},
        {"properties": {"x": {"$ref": "#"}, "y": {"$ref": "#/properties/x"}}},
        {"$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}, "$ref": "#/$defs/A"},
    ],
)
def test_a_schema_grows_at_most_a_few_times(schema: dict[str, Any]) -> None:
    assert len(json.dumps(parameters(schema))) < 6 * len(json.dumps(schema)) + 1_000


def test_a_part_that_contains_itself_is_expanded_once() -> None:
    reduced = parameters({"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}})
    leaf = {"type": "object", "description": "A node.", "properties": {}}
    assert reduced["properties"]["root"] == {
        "type": "object",
        "description": "A node.",
        "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": leaf},
            "parent": leaf,
        },
    }


def test_a_choice_at_the_top_has_the_properties_of_all_arms() -> None:
    arms = [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"$ref": "#/$defs/B"},
    ]
    definitions = {"B": {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}}
    properties = {"a": {"type": "string"}, "b": {"type": "number"}}
    assert parameters({"oneOf": arms, "$defs": definitions}) == {"type": "object", "properties": properties}
    assert parameters({"allOf": arms, "$defs": definitions}) == {
        "type": "object",
        "properties": properties,
        "required": ["a", "b"],
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


OBJECTS = [
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "properties": {"b": {"type": "integer"}}},
]


@pytest.mark.parametrize(
    ("choice", "reduced"),
    [
        (
            {"anyOf": OBJECTS},
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}},
        ),
        (
            {"oneOf": [*OBJECTS, {"type": "null"}], "description": "d"},
            {
                "type": "object",
                "description": "d",
                "properties": {"a": {"type": "string"}, "b": {"type": "number"}},
            },
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, {"type": "number"}),
        ({"anyOf": [{"const": "x"}, {"enum": ["y", "z"]}]}, {"type": "string", "enum": ["x", "y", "z"]}),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"type": "string"}),
        (
            {"allOf": [OBJECTS[0], {"description": "d"}]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ),
        ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, {"type": "number"}),
        ({"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "object"}]}, None),
    ],
)
def test_a_choice_inside_has_the_type_that_its_arms_share(
    choice: dict[str, Any], reduced: dict[str, Any] | None
) -> None:
    tree = {
        "type": "object",
        "properties": {"children": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "object"}]}},
    }
    schema = {"type": "object", "properties": {"x": choice}, "$defs": {"tree": tree}}
    found = parameters(schema)["properties"]["x"]
    if reduced is None:
        leaf = {"type": "object", "properties": {}}
        assert found == {"type": "object", "properties": {"children": leaf}}
    else:
        assert found == reduced
