"""File changes as the `diff` content of a tool call."""

from typing import Any

from code_core.protocol.file_changes import AddChange, DeleteChange, FileChange, UpdateChange
from code_core.view.visible import visible_line


def diff_content(path: str, change: FileChange) -> list[dict[str, Any]]:
    """Return the change as one `diff` per hunk, with the text before and after it.

    Invisible characters are escaped, because the client shows the diff but does not apply it.
    """
    match change:
        case AddChange(add=add):
            return [file_diff(path, None, add.content)]
        case DeleteChange(delete=delete):
            return [file_diff(path, delete.content, "")]
        case UpdateChange(update=update):
            target = str(update.move_path) if update.move_path is not None else path
            return [file_diff(target, old, new) for old, new in _hunks(update.unified_diff)]


def file_diff(path: str, old: str | None, new: str) -> dict[str, Any]:
    """Return one diff; `old` is None for a new file."""
    return {
        "type": "diff",
        "path": path,
        "oldText": None if old is None else _shown(old),
        "newText": _shown(new),
    }


def _shown(text: str) -> str:
    """`text` with invisible characters escaped, except line endings of either kind."""
    if text.isascii() and text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return "\n".join(
        f"{visible_line(line[:-1])}\r" if line.endswith("\r") else visible_line(line)
        for line in text.split("\n")
    )


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
