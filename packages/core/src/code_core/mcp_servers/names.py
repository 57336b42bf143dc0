"""Names and schemas of servers' tools in the form that model APIs take."""

import re
from hashlib import sha1
from typing import Any

LONGEST_NAME = 64
_KEPT_OF_A_LONG_NAME = 24
_FORBIDDEN = re.compile(r"[^a-zA-Z0-9_-]")
_DEEPEST = 32


def qualified_name(server: str, tool: str) -> str:
    """`server__tool` for the model: letters, digits, `_` and `-`, at most 64; a longer one ends with its SHA-1."""
    name = _FORBIDDEN.sub("_", f"{server}__{tool}")
    if len(name) <= LONGEST_NAME:
        return name
    digest = sha1(f"{server}__{tool}".encode(errors="replace"), usedforsecurity=False).hexdigest()
    return name[:_KEPT_OF_A_LONG_NAME] + digest


def parameters(schema: dict[str, Any]) -> dict[str, Any]:
    """A tool's input schema, reduced to what model APIs take: every part has one type they know."""
    return _reduced({**schema, "type": "object"}, 0)


def _reduced(schema: object, depth: int) -> dict[str, Any]:
    """A schema of anything else than an object, such as `true`, takes a string."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {"type": "string"}
    reduced = {
        key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "allOf", "$schema"}
    }
    reduced["type"] = kind = _type_of(schema)
    match kind:
        case "object":
            properties = schema.get("properties")
            reduced["properties"] = {
                str(name): _reduced(part, depth + 1)
                for name, part in (properties.items() if isinstance(properties, dict) else ())
            }
            if isinstance(schema.get("additionalProperties"), dict):
                reduced["additionalProperties"] = _reduced(schema["additionalProperties"], depth + 1)
        case "array":
            reduced["items"] = _reduced(schema.get("items"), depth + 1)
        case _:
            pass
    return reduced


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
