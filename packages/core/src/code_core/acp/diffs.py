"""File changes as the `diff` content of a tool call."""

from typing import Any

from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange


def diff_content(path: str, change: FileChange) -> list[dict[str, Any]]:
    """The change as one `diff` per hunk, with the text before and after it."""
    match change:
        case AddChange(add=add):
            return [_diff(path, None, add.content)]
        case DeleteChange(delete=delete):
            return [_diff(path, delete.content, "")]
        case UpdateChange(update=update):
            target = str(update.move_path) if update.move_path is not None else path
            return [_diff(target, old, new) for old, new in _hunks(update.unified_diff)]


def _diff(path: str, old: str | None, new: str) -> dict[str, Any]:
    return {"type": "diff", "path": path, "oldText": old, "newText": new}


def _hunks(unified_diff: str) -> list[tuple[str, str]]:
    hunks: list[tuple[list[str], list[str]]] = []
    for line in unified_diff.split("\n"):
        match line[:1]:
            case "@":
                hunks.append(([], []))
            case " " if hunks:
                hunks[-1][0].append(line[1:])
                hunks[-1][1].append(line[1:])
            case "-" if hunks:
                hunks[-1][0].append(line[1:])
            case "+" if hunks:
                hunks[-1][1].append(line[1:])
            case _:
                pass
    return [("\n".join(old) + "\n", "\n".join(new) + "\n") for old, new in hunks]
