"""The wording of questions to the user, shared by all frontends.

A question is shown in full: what would run or change, where, whether in the sandbox, why, and
what a lasting approval would allow. Text from the model or a server is marked as such.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from code_core.frozen import frozen
from code_core.protocol.approval_events import ApplyPatchApprovalRequest, ApprovalRequest, ExecApprovalRequest
from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange
from code_core.protocol.mcp_events import ElicitationRequest
from code_core.protocol.question_events import UserQuestion
from code_core.view.frame import framed
from code_core.view.titles import command_lines, shell_script
from code_core.view.visible import readable, visible, visible_change, visible_line

_TEXT_KEYS = ("title", "description")
_CHOICE_KEYS = ("oneOf", "anyOf")

QUOTED_COLUMNS = 76
MOST_DELETED_LINES = 20
"""Lines shown of a file that is deleted."""


@frozen
class QuestionText:
    """A question as lines that are safe to show.

    Attributes:
        title: the question, in one line.
        lines: its details, to be shown completely, on one or more pages.
    """

    title: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join((self.title, "", *self.lines))

    @property
    def markdown(self) -> str:
        """Return the question for a client that may render Markdown: all but the title is a code block.

        Otherwise comments (`<!-- -->`), tags, and the syntax of links and emphasis would be invisible. The
        block is indented, which is also readable as plain text, and no line can end it.
        """
        return "\n".join((self.title, "", *(f"    {line}" for line in self.lines)))


def approval_text(request: ApprovalRequest) -> QuestionText:
    """Return the text of an approval request."""
    match request:
        case ExecApprovalRequest(mcp=None):
            return _command(request)
        case ExecApprovalRequest():
            return _tool(request)
        case ApplyPatchApprovalRequest(changes=changes, reason=reason):
            lines = [*patch_lines(changes), *_reasons(reason)]
            return QuestionText("Make these changes?", tuple(lines))


def project_settings_text(path: Path, text: str) -> QuestionText:
    """Return the question whether to trust a project's settings file."""
    shown = [f"  │ {visible(line)}" for line in _lines(text)]
    what = "They can choose the model, change what needs approval, and start MCP servers, which are programs."
    return QuestionText("Use these settings of the project?", (f"{visible(str(path))}:", *shown, what))


def elicitation_text(question: ElicitationRequest) -> QuestionText:
    """Return a question from an MCP server; every line of its text is prefixed with the server's name."""
    name = visible(question.server)
    return QuestionText(f"The MCP server {name} asks you:", tuple(quoted(question.message, name)))


def user_question_text(question: UserQuestion) -> QuestionText:
    """Return a question from the model; every line of its text is marked as the model's, and options are numbered."""
    lines = quoted(question.question, "the model")
    for number, option in enumerate(question.options, 1):
        about = f": {option.description}" if option.description else ""
        lines += quoted(f"{number}. {option.label}{about}", "the model")
    header = f" ({visible_line(question.header)})" if question.header else ""
    return QuestionText(f"The model asks you{header}:", tuple(lines))


def elicitation_schema(question: ElicitationRequest) -> dict[str, Any]:
    """Return the schema that a server asks for, with its titles and descriptions marked as the server's."""
    name = visible(question.server)
    properties = question.requested_schema.get("properties")
    shown = {
        field: _marked(schema, name) if isinstance(schema, dict) else schema
        for field, schema in (properties if isinstance(properties, dict) else {}).items()
    }
    kept = {key: value for key, value in question.requested_schema.items() if key not in _TEXT_KEYS}
    return {**kept, "properties": shown}


def _marked(schema: Mapping[str, Any], who: str) -> dict[str, Any]:
    texts = {
        key: "\n".join(quoted(schema[key], who)) for key in _TEXT_KEYS if isinstance(schema.get(key), str)
    }
    names = schema.get("enumNames")
    labels = {"enumNames": [visible(str(one)) for one in names]} if isinstance(names, list) else {}
    choices = {key: [*map(_choice, schema[key])] for key in _CHOICE_KEYS if isinstance(schema.get(key), list)}
    items = {"items": _marked(schema["items"], who)} if isinstance(schema.get("items"), dict) else {}
    return {**schema, **texts, **labels, **choices, **items}


def _choice(choice: Any) -> Any:
    """A choice with its title made visible."""
    match choice:
        case {"title": str(title)}:
            return {**choice, "title": visible(title)}
        case _:
            return choice


def quoted(text: str, who: str) -> list[str]:
    """Return the lines of someone else's text, each prefixed with its author and short enough to keep the prefix."""
    return [*framed(readable(text).strip("\n").split("\n"), f"{who}│ ", QUOTED_COLUMNS)]


def patch_lines(changes: Mapping[str, FileChange]) -> Iterator[str]:
    """Yield the changes of a patch, file by file, with their diffs."""
    for path, change in changes.items():
        yield change_text(path, change)
        lines = [*_difference(change)]
        alike = _seen(lines, "-") & _seen(lines, "+")
        for line in lines:
            if line[:1] in {"+", "-"}:
                yield f"    {line[0]}{visible_change(line[1:], tabs=_without_blanks(line) in alike)}"
            else:
                yield f"    {visible_line(line)}"


def _seen(lines: list[str], sign: str) -> set[str]:
    return {_without_blanks(line) for line in lines if line.startswith(sign)}


def _without_blanks(line: str) -> str:
    """The visible characters of a line, for comparing lines that differ only in invisible ones."""
    return "".join(line[1:].split())


def change_text(path: str, change: FileChange) -> str:
    """Return a file change on one line: `A`, `D` or `M`, the path, and what else happens to the file."""
    match change:
        case AddChange():
            return f"A {visible(path)}"
        case DeleteChange(delete=delete):
            link = "" if delete.link is None else f" (a symbolic link to {visible(delete.link)})"
            return f"D {visible(path)}{link}"
        case UpdateChange(update=update):
            link = (
                "" if update.link is None else f" (a symbolic link to {visible(update.link)}, becomes a copy)"
            )
            target = f" -> {visible(str(update.move_path))}" if update.move_path else ""
            replaced = "" if update.overwritten is None else " (replaces the file there)"
            mode = "" if update.modes is None else f" (mode {' becomes '.join(map(visible, update.modes))})"
            return f"M {visible(path)}{link}{target}{replaced}{mode}"


def _difference(change: FileChange) -> Iterator[str]:
    match change:
        case AddChange(add=add):
            yield from (f"+{line}" for line in _lines(add.content))
        case DeleteChange(delete=delete):
            yield from _deleted(delete.content) if delete.link is None else ()
        case UpdateChange(update=update):
            yield from _lines(update.unified_diff)
            if update.overwritten is not None:
                yield "the file that is replaced:"
                yield from _deleted(update.overwritten)


def _deleted(content: str) -> Iterator[str]:
    lines = _lines(content)
    yield from (f"-{line}" for line in lines[:MOST_DELETED_LINES])
    if len(lines) > MOST_DELETED_LINES:
        yield f"… and all of the {len(lines) - MOST_DELETED_LINES:,} lines after these"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _command(request: ExecApprovalRequest) -> QuestionText:
    script = shell_script(request.command)
    what = "command" if script is None else f"script with {script[0]}"
    where = "inside the sandbox" if request.sandboxed else "OUTSIDE the sandbox"
    first, *more = command_lines(request.command)
    lines = [f"  $ {first}", *(f"  > {line}" for line in more)]
    lines += [f"in {_directory(request.cwd)}, {where}", *_reasons(request.reason)]
    if request.justification:
        lines += quoted(request.justification, "the model")
    if request.proposed_rule is not None:
        lines += ["“always” adds this rule to yours:"]
        lines += [f"  {visible(line)}" for line in _lines(request.proposed_rule)]
        lines += [visible(request.rule_allows)] if request.rule_allows else []
    return QuestionText(
        f"Run this {what}{'' if request.sandboxed else ' outside the sandbox'}?", tuple(lines)
    )


def _tool(request: ExecApprovalRequest) -> QuestionText:
    import json

    call = request.mcp
    assert call is not None  # noqa: S101 - see `approval_text`
    arguments = json.dumps(call.arguments or {}, ensure_ascii=False, indent=2)
    lines = [
        f"  server     {visible(call.server)}",
        f"  tool       {visible(call.tool)}",
        "  arguments",
        *(f"    {visible(line)}" for line in arguments.split("\n")),
        "MCP servers run outside the sandbox",
        *_reasons(request.reason),
    ]
    return QuestionText("Call this tool of an MCP server?", tuple(lines))


def _directory(path: Path) -> str:
    return visible(str(path))


def _reasons(reason: str | None) -> list[str]:
    return [f"reason: {visible(reason)}"] if reason else []
