"""Names and schemas of servers' tools in the form that model APIs take."""

import re
from hashlib import sha1
from typing import Any

LONGEST_NAME = 64
_KEPT_OF_A_LONG_NAME = 24
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
_DEEPEST = 32
_MOST_PARTS = 2_000
# Definitions are put in their places; the rest holds schemas that model APIs do not take.
_LEFT_OUT = frozenset(
    [
        *("$schema", "$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "if", "then", "else"),
        *("contains", "prefixItems", "additionalItems", "unevaluatedItems", "unevaluatedProperties"),
        *("patternProperties", "propertyNames", "dependentSchemas", "dependencies"),
    ]
)


def qualified_name(server: str, tool: str) -> str:
    """`server__tool` for the model: letters, digits, `_` and `-`, at most 64; a longer one ends with its SHA-1."""
    name = _FORBIDDEN.sub("_", f"{server}__{tool}")
    if len(name) <= LONGEST_NAME:
        return name
    digest = sha1(f"{server}__{tool}".encode(errors="replace"), usedforsecurity=False).hexdigest()
    return name[:_KEPT_OF_A_LONG_NAME] + digest


def parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """A tool's input schema, reduced to what model APIs take: every part has one type they know."""
    return _Reduction(schema).part({**schema, "type": "object"}, 0)


class _Reduction:
    """Puts what `$ref` names in its place; what is then too deep or too much is a string."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._parts = 0

    def part(self, schema: object, depth: int) -> dict[str, Any]:
        """A schema of anything else than an object, such as `true`, takes a string."""
        schema = self._plain(schema)
        self._parts += 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._parts > _MOST_PARTS:
            return {"type": "string"}
        reduced = {key: value for key, value in schema.items() if key not in _LEFT_OUT}
        reduced["type"] = kind = _type_of(schema)
        match kind:
            case "object":
                properties = schema.get("properties")
                reduced["properties"] = {
                    str(name): self.part(each, depth + 1)
                    for name, each in (properties.items() if isinstance(properties, dict) else ())
                }
                if isinstance(schema.get("additionalProperties"), dict):
                    reduced["additionalProperties"] = self.part(schema["additionalProperties"], depth + 1)
            case "array":
                reduced["items"] = self.part(schema.get("items"), depth + 1)
            case _:
                pass
        return reduced

    def _plain(self, schema: object) -> object:
        """`schema` with a reference, or a choice of one, replaced by what it stands for."""
        for _ in range(_DEEPEST):
            match schema:
                case {"$ref": str(reference), **rest}:
                    target = self._at(reference)
                case {"anyOf": choices, **rest} | {"oneOf": choices, **rest} | {"allOf": choices, **rest}:
                    target = _only_one(choices)
                case _:
                    return schema
            schema = {**target, **rest} if isinstance(target, dict) else rest
        return schema

    def _at(self, reference: str) -> object:
        """What a reference into this schema names; None for any other."""
        if not reference.startswith("#/"):
            return None
        place: object = self._root
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            place = place.get(name) if isinstance(place, dict) else None
        return place


def _only_one(choices: object) -> object:
    """The choice that is not null, if there is just one."""
    if not isinstance(choices, list):
        return None
    left = [choice for choice in choices if choice != {"type": "null"}]
    return left[0] if len(left) == 1 else None


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), None)
    match kind:
        case "integer":
            return "number"
        case "object" | "array" | "string" | "number" | "boolean":
            return str(kind)
        case _:
            pass
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    if any(
        key in schema for key in ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")
    ):
        return "number"
    return "string"
