"""What an undo or a redo did, in words."""

from code_core.protocol.session_events import UndoCompleted
from code_core.view.visible import visible


def undo_lines(done: UndoCompleted) -> list[str]:
    """The files that were restored, and those that were left alone, a line each."""
    what = "undid" if done.action == "undo" else "brought back"
    count = len(done.files)
    lines = [f"{what} {count} file{'' if count == 1 else 's'}"]
    lines += [f"  {visible(str(path))}" for path in done.files]
    lines += [f"  left alone, because it has changed since: {visible(str(path))}" for path in done.kept]
    return lines
