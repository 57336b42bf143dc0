"""Converts tools' input schemas to the subset that model APIs accept."""

from typing import Any

_DEEPEST = 32
_MOST_PARTS = 2_000
_MOST_GROWTH = 4
_SPARE_PARTS = 32
# Definitions are inlined; the other keywords hold schemas that model APIs do not accept.
_LEFT_OUT = frozenset(
    [
        *("$schema", "$ref", "$defs", "definitions", "anyOf", "oneOf", "allOf", "not", "if", "then", "else"),
        *("contains", "prefixItems", "additionalItems", "unevaluatedItems", "unevaluatedProperties"),
        *("patternProperties", "propertyNames", "dependentSchemas", "dependencies"),
    ]
)

# A model API rejects a whole request for one keyword of the wrong type, and servers send null for unset values.
_KINDS: dict[str, type] = {
    "description": str,
    "title": str,
    "required": list,
    "enum": list,
    "format": str,
    "pattern": str,
}


def parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a tool's input schema, reduced to what model APIs accept: every part has one known type.

    A choice at the top level becomes one object with the properties of all its arms. A recursive
    reference keeps its type but is not described further.
    """
    reduction = _Reduction(schema)
    return reduction.part({**reduction.with_arms(schema), "type": "object"}, 0)


class _Reduction:
    """Inlines `$ref` targets; whatever is then too deep, or several times larger than the original, becomes a string."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._parts = 0
        self._most_parts = min(_MOST_PARTS, _MOST_GROWTH * _count(root) + _SPARE_PARTS)

    def with_arms(self, schema: dict[str, Any]) -> dict[str, Any]:
        """`schema` with the properties of its choices; only those that all arms require are required."""
        properties: dict[str, Any] = {}
        required: list[object] = _list(schema.get("required"))
        for choice in ("anyOf", "oneOf", "allOf"):
            arms = [
                plain
                for arm in _list(schema.get(choice))
                if isinstance(plain := self._plain(arm, frozenset())[0], dict)
            ]
            for arm in arms:
                properties |= _dict(arm.get("properties"))
            if choice == "allOf":
                required += [name for arm in arms for name in _list(arm.get("required"))]
        if not properties:
            return schema
        properties |= _dict(schema.get("properties"))
        rest = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf"}}
        return {**rest, "properties": properties} | ({"required": required} if required else {})

    def part(self, schema: object, depth: int, inside: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Reduce a schema; one that is not an object, such as `true`, becomes a string.

        Args:
            schema: the schema to reduce.
            depth: its depth in the whole schema.
            inside: the references followed to get here.
        """
        schema, followed = self._plain(schema, inside)
        if isinstance(schema, dict) and "type" not in schema:
            schema, more = self._joined(schema, inside | followed)
            followed |= more
        self._parts += 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._parts > self._most_parts:
            return {"type": "string"}
        if followed & inside:  # recursive
            schema = {key: schema[key] for key in ("type", "description") if key in schema}
        inside |= followed
        reduced: dict[str, Any] = {
            key: value
            for key, value in schema.items()
            if key not in _LEFT_OUT and isinstance(value, _KINDS.get(key, object))
        }
        reduced["type"] = kind = _type_of(schema)
        if "required" in reduced:
            reduced["required"] = [name for name in reduced["required"] if isinstance(name, str)]
        if "enum" in reduced:
            reduced["enum"] = [value for value in reduced["enum"] if _fits(value, kind)]
            if not reduced["enum"]:
                del reduced["enum"]
        match kind:
            case "object":
                properties = schema.get("properties")
                reduced["properties"] = {
                    str(name): self.part(each, depth + 1, inside)
                    for name, each in (properties.items() if isinstance(properties, dict) else ())
                }
                if isinstance(schema.get("additionalProperties"), dict):
                    reduced["additionalProperties"] = self.part(
                        schema["additionalProperties"], depth + 1, inside
                    )
            case "array":
                reduced["items"] = self.part(schema.get("items"), depth + 1, inside)
            case _:
                pass
        return reduced

    def _joined(
        self, schema: dict[str, Any], inside: frozenset[str]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """`schema` with the type that all arms of its choice have, if it is one; and the references followed."""
        either = _list(schema.get("anyOf")) or _list(schema.get("oneOf"))
        choices = either or _list(schema.get("allOf"))
        arms, followed = [], frozenset[str]()
        for choice in choices:
            arm, more = self._plain(choice, inside)
            followed |= more
            if isinstance(arm, dict) and arm != {"type": "null"}:
                is_typed = bool({"type", "properties"} & arm.keys())
                arms += [arm] if is_typed or (either and not more & inside) else []
        kinds = {_type_of(arm) for arm in arms}
        if len(kinds) != 1:
            return schema, frozenset()
        joined = {**schema, "type": kinds.pop()}
        if joined["type"] == "object" and not followed & inside:
            joined = self.with_arms(joined)
        values = [_list(arm.get("enum")) or [arm["const"]] for arm in arms if {"enum", "const"} & arm.keys()]
        if either and len(values) == len(arms):
            joined["enum"] = [value for some in values for value in some]
        return joined, followed

    def _plain(self, schema: object, inside: frozenset[str]) -> tuple[object, frozenset[str]]:
        """`schema` with a reference, or a choice with one real arm, replaced by its target; and the references followed.

        Choices with several arms stay.
        """
        followed: frozenset[str] = frozenset()
        open_choices: dict[str, Any] = {}
        for _ in range(_DEEPEST):
            match schema:
                case {"$ref": str(reference), **rest}:
                    target = self._at(reference)
                    followed |= {reference}
                case {"anyOf": choices, **rest} | {"oneOf": choices, **rest} | {"allOf": choices, **rest}:
                    target = _only_one(choices)
                    if target is None:
                        keys = schema.keys() if isinstance(schema, dict) else ()
                        name = next(name for name in ("anyOf", "oneOf", "allOf") if name in keys)
                        open_choices.setdefault(name, choices)
                case _:
                    break
            schema = {**target, **rest} if isinstance(target, dict) else rest
            if followed & inside:
                break
        return ({**open_choices, **schema} if isinstance(schema, dict) else schema), followed

    def _at(self, reference: str) -> object:
        """The target of a reference into this schema, or None."""
        if not reference.startswith("#/"):
            return None
        target: object = self._root
        for step in reference.removeprefix("#/").split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            target = target.get(name) if isinstance(target, dict) else None
        return target


def _only_one(choices: object) -> object:
    """The only choice that is not null, if there is exactly one."""
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
    values = _list(schema.get("enum")) or [schema.get("const")]
    for plain in ("boolean", "number"):
        if all(_fits(value, plain) for value in values):
            return plain
    if any(
        key in schema for key in ("minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum")
    ):
        return "number"
    return "string"


def _fits(value: object, kind: str) -> bool:
    """Whether an enumeration's value has the given type."""
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case _:
            return True


def _count(schema: object) -> int:
    """Number of schemas and other JSON values in it, to a depth of 64."""
    level, total = [schema], 0
    for _ in range(2 * _DEEPEST):
        total += len(level)
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each if isinstance(each, list) else ())
            if isinstance(inner, dict | list)
        ]
    return total


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
