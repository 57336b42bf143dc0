"""Asks for the fields of an MCP server's question, line by line."""

from collections.abc import Awaitable, Callable
from typing import Any

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.view.printable import printable

Ask = Callable[[str], Awaitable[str | None]]


async def answer_in_lines(question: ElicitationRequest, ask: Ask) -> ResolveElicitation:
    """The user's answer: yes with a line for each field, no, or cancel; the end of input cancels."""
    choice = await ask("answer it? [y]es, [n]o: ")
    match (choice or "").strip().lower()[:1]:
        case "y":
            pass
        case "n":
            return ResolveElicitation(id=question.id, action="decline")
        case _:
            return ResolveElicitation(id=question.id, action="cancel")
    content: dict[str, Any] = {}
    properties = question.requested_schema.get("properties")
    required = question.requested_schema.get("required") or ()
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        value = await _field(str(name), schema if isinstance(schema, dict) else {}, name in required, ask)
        if isinstance(value, _Ended):
            return ResolveElicitation(id=question.id, action="cancel")
        if value is not None:
            content[str(name)] = value
    return ResolveElicitation(id=question.id, action="accept", content=content)


class _Ended:
    """There is no more input."""


async def _field(name: str, schema: dict[str, Any], required: bool, ask: Ask) -> Any:
    """The value of one field; None for one that is left out."""
    choices = schema.get("enum")
    about = schema.get("description") or schema.get("title") or ""
    shown = choices if isinstance(choices, list) else ["y", "n"] if schema.get("type") == "boolean" else []
    hint = f" ({', '.join(map(str, shown))})" if shown else ""
    while (line := await ask(printable(f"{name}{hint} {about}".strip()) + ": ")) is not None:
        text = line.strip()
        if not text and not required:
            return None
        value = _parsed(text, schema.get("type"))
        if value is not None and (not isinstance(choices, list) or value in choices):
            return value
    return _Ended()


def _parsed(text: str, kind: object) -> Any:
    """`text` as a value of that type; None if it is none."""
    try:
        match kind:
            case "boolean":
                return {"y": True, "n": False, "t": True, "f": False}.get(text.lower()[:1])
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case _:
                return text
    except ValueError:
        return None
