"""Tool calls in the protocol's form, for updates and for questions about them.

Source: Agent Client Protocol, version 1, "Tool calls".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code_core.acp.diffs import diff_content
from code_core.protocol.events import ToolCallFailed
from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange
from code_core.protocol.mcp_events import McpInvocation
from code_core.protocol.parsed_command import ParsedCommand, UnknownCommand
from code_core.protocol.text import repaired
from code_core.view.questions import change_text
from code_core.view.titles import command_title, in_backticks, shortened
from code_core.view.visible import readable, visible

ToolCallFields = dict[str, Any]


def tool_call(call_id: str, title: str, kind: str, **more: Any) -> ToolCallFields:
    """Return the fields that every tool call has, plus `more`."""
    return {"toolCallId": call_id, "title": title, "kind": kind, **more}


def command_call(
    call_id: str, command: Sequence[str], cwd: Path, parsed: Sequence[ParsedCommand] = ()
) -> ToolCallFields:
    """Return a command; `parsed` describes what a read-only one looks at."""
    raw = {"command": list(command), "cwd": str(cwd)}
    paths = [one.path for one in parsed if not isinstance(one, UnknownCommand) and one.path]
    locations = [{"path": client_path(cwd, path)} for path in dict.fromkeys(paths)]
    more = {"locations": locations} if locations else {}
    return tool_call(
        call_id, command_title(command), _command_kind(parsed), name="shell", rawInput=raw, **more
    )


def _command_kind(parsed: Sequence[ParsedCommand]) -> str:
    kinds = {one.type for one in parsed}
    if kinds == {"read"}:
        return "read"
    return "search" if kinds and kinds <= {"read", "list_files", "search"} else "execute"


def client_path(cwd: Path, path: str) -> str:
    """Return an absolute path that can be encoded."""
    return repaired(str(cwd / path))


def server_tool_call(call_id: str, call: McpInvocation) -> ToolCallFields:
    """Return a call of an MCP server's tool."""
    title = shortened(f"{visible(call.server)}: {visible(call.tool)}")
    return tool_call(
        call_id, title, "other", name=shortened(visible(call.tool)), rawInput=call.arguments or {}
    )


def failed_call(failed: ToolCallFailed) -> ToolCallFields:
    """Return a call that failed before it began, with the reason."""
    content = [text_content(fenced(readable(f"{failed.message}\n\n{failed.call or ''}".strip())))]
    return tool_call(failed.call_id, f"{visible(failed.tool)} did nothing", "other", content=content)


def text_content(text: str) -> dict[str, Any]:
    """Return text as the content of a tool call."""
    return {"type": "content", "content": {"type": "text", "text": text}}


def fenced(text: str) -> str:
    """Return `text` as a Markdown code block, with a fence longer than any it contains."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def patch_call(call_id: str, changes: Mapping[str, FileChange]) -> ToolCallFields:
    """Return a patch with its diffs."""
    kind = _patch_kind(changes)
    content = [part for path, change in changes.items() for part in diff_content(path, change)]
    return tool_call(
        call_id,
        _patch_title(changes, kind),
        kind,
        name="apply_patch",
        content=content,
        locations=[{"path": path} for path in _paths(changes)],
    )


def _paths(changes: Mapping[str, FileChange]) -> list[str]:
    """The paths that a patch changes, including those that files are moved to."""
    paths: list[str] = []
    for path, change in changes.items():
        paths.append(path)
        if isinstance(change, UpdateChange) and change.update.move_path is not None:
            paths.append(repaired(str(change.update.move_path)))
    return [*dict.fromkeys(paths)]


def beyond_the_diffs(changes: Mapping[str, FileChange]) -> list[dict[str, Any]]:
    """Return, as content, the changes that diffs do not show completely: moves, permissions and links."""
    lines = [change_text(path, change) for path, change in changes.items() if _is_more_than_a_diff(change)]
    return [text_content(fenced("\n".join(lines)))] if lines else []


def _is_more_than_a_diff(change: FileChange) -> bool:
    match change:
        case DeleteChange(delete=delete):
            return delete.link is not None
        case UpdateChange(update=update):
            return update.move_path is not None or update.modes is not None
        case AddChange():
            return False


def _patch_title(changes: Mapping[str, FileChange], kind: str) -> str:
    names = [in_backticks(shortened(visible(Path(path).name))) for path in changes]
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    verb = {"delete": "Delete", "move": "Move"}.get(kind, "Edit")
    return f"{verb} {shown}"


def _patch_kind(changes: Mapping[str, FileChange]) -> str:
    kinds: set[str] = set()
    for change in changes.values():
        match change:
            case DeleteChange():
                kinds.add("delete")
            case UpdateChange(update=update) if update.move_path is not None:
                kinds.add("move")
            case UpdateChange() | AddChange():
                kinds.add("edit")
    return kinds.pop() if len(kinds) == 1 else "edit"
