"""Asks for the fields of an MCP server's question, line by line."""

import math
from collections.abc import Awaitable, Callable
from typing import Any

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.view.answers import parse_yes_or_no
from code_core.view.questions import quoted
from code_core.view.visible import visible

Ask = Callable[[str], Awaitable[str | None]]
Show = Callable[[list[str]], None]


async def answer_in_lines(question: ElicitationRequest, ask: Ask, show: Show) -> ResolveElicitation:
    """Return the user's answer: yes with a line for each field, no, or cancel; the end of input cancels.

    Args:
        question: the server's question.
        ask: asks for a line.
        show: shows the server's description of a field.
    """
    while (line := await ask("answer the server? (y yes, n no): ")) is not None:
        match parse_yes_or_no(line):
            case True:
                return await _fields(question, ask, show)
            case False:
                return ResolveElicitation(id=question.id, action="decline")
            case None:
                pass
    return ResolveElicitation(id=question.id, action="cancel")


async def _fields(question: ElicitationRequest, ask: Ask, show: Show) -> ResolveElicitation:
    content: dict[str, Any] = {}
    properties = question.requested_schema.get("properties")
    required = question.requested_schema.get("required")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        field = schema if isinstance(schema, dict) else {}
        is_required = isinstance(required, list) and name in required
        show(_about(str(name), field, visible(question.server)))
        value = await _field(field, is_required, ask)
        if isinstance(value, _Ended):
            return ResolveElicitation(id=question.id, action="cancel")
        if value is not None:
            content[str(name)] = value
    return ResolveElicitation(id=question.id, action="accept", content=content)


class _Ended:
    """The input has ended."""


def _about(name: str, schema: dict[str, Any], server: str) -> list[str]:
    """The server's description of a field, kept out of the prompt, which it could imitate."""
    choices = schema.get("enum")
    shown = [f"one of {', '.join(map(str, choices))}"] if isinstance(choices, list) else []
    text = schema.get("description") or schema.get("title")
    return [
        line
        for part in (f"field {name}", *([str(text)] if text else []), *shown)
        for line in quoted(part, server)
    ]


async def _field(schema: dict[str, Any], required: bool, ask: Ask) -> Any:
    """The value of one field; None if it is left out."""
    choices = schema.get("enum")
    kind = " (y, n)" if schema.get("type") == "boolean" else ""
    optional = "" if required else " or nothing"
    while (line := await ask(f"value{kind}{optional}: ")) is not None:
        text = line.strip()
        if not text and not required:
            return None
        value = _parsed(text, schema.get("type"))
        if value is not None and (not isinstance(choices, list) or value in choices):
            return value
    return _Ended()


def _parsed(text: str, kind: object) -> Any:
    """`text` as a value of that type, or None if it is not one."""
    try:
        match kind:
            case "boolean":
                return {"true": True, "false": False}.get(text.lower(), parse_yes_or_no(text))
            case "integer":
                return int(text)
            case "number":
                number = float(text)
                return number if math.isfinite(number) else None
            case _:
                return text
    except ValueError:
        return None
