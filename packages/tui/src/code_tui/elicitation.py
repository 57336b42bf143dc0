"""Asks for the fields of an MCP server's question, line by line."""

from collections.abc import Callable
from typing import Any

from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.ops import ResolveElicitation
from code_core.view.answers import parse_yes_or_no
from code_core.view.questions import elicitation_text, quoted
from code_core.view.visible import visible
from code_tui.asking import Ask
from code_tui.form_field import FieldError, FormField, fields_of

Show = Callable[[list[str]], None]


async def answer_in_lines(question: ElicitationRequest, ask: Ask, show: Show) -> ResolveElicitation:
    """Return the user's answer: yes with a line for each field, no, or cancel; the end of input cancels.

    Args:
        question: the server's question.
        ask: asks for a line.
        show: shows lines of a question.
    """
    text = elicitation_text(question)
    whole = [text.title, *text.lines]
    while (line := await ask("answer the server? (y yes, n no): ", lambda: show(whole))) is not None:
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
    for field in fields_of(question.requested_schema):
        lines = [row for text in field.lines for row in quoted(text, visible(question.server))]
        show(lines)
        value = await _value(field, lines, ask, show)
        if isinstance(value, _Ended):
            return ResolveElicitation(id=question.id, action="cancel")
        if value is not None:
            content[field.name] = value
    return ResolveElicitation(id=question.id, action="accept", content=content)


class _Ended:
    """The input has ended."""


async def _value(field: FormField, lines: list[str], ask: Ask, show: Show) -> Any:
    """The value of one field, described by `lines`; None if it is left out."""
    while (line := await ask(field.prompt, lambda: show(lines))) is not None:
        try:
            return field.parse(line)
        except FieldError as error:
            show([str(error)])
    return _Ended()
