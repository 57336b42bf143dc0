"""Tool calls as the protocol shows them: in updates, and in questions about them.

Source: Agent Client Protocol, version 1, "Tool calls".
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from code_core.acp.diffs import diff_content
from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange
from code_core.view.titles import command_title

ToolCallFields = dict[str, Any]


def tool_call(call_id: str, title: str, kind: str, **more: Any) -> ToolCallFields:
    """The fields that every tool call has, and `more`."""
    return {"toolCallId": call_id, "title": title, "kind": kind, **more}


def command_call(call_id: str, command: Sequence[str], cwd: Path) -> ToolCallFields:
    """A command."""
    raw = {"command": list(command), "cwd": str(cwd)}
    return tool_call(call_id, command_title(command), "execute", rawInput=raw)


def patch_call(call_id: str, changes: Mapping[str, FileChange]) -> ToolCallFields:
    """A patch, with its differences."""
    kind = _patch_kind(changes)
    content = [part for path, change in changes.items() for part in diff_content(path, change)]
    return tool_call(
        call_id,
        _patch_title(changes, kind),
        kind,
        content=content,
        locations=[{"path": path} for path in changes],
    )


def _patch_title(changes: Mapping[str, FileChange], kind: str) -> str:
    names = [f"`{Path(path).name}`" for path in changes]
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
