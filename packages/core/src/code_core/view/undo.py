"""Describes the result of an undo or a redo."""

from code_core.protocol.session_events import UndoCompleted
from code_core.view.visible import visible


def undo_lines(done: UndoCompleted) -> list[str]:
    """Return a line for each file that was restored or left alone."""
    what = "undid" if done.action == "undo" else "redid"
    count = len(done.files)
    lines = [f"{what} changes to {count} file{'' if count == 1 else 's'}"]
    lines += [f"  {visible(str(path))}" for path in done.files]
    lines += [f"  left alone, because it has changed since: {visible(str(path))}" for path in done.kept]
    return lines
