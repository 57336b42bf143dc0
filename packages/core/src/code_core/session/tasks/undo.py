"""Undo and redo of the files that a turn changed."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Literal

import anyio

from code_core.errors import TurnError
from code_core.protocol.session_events import UndoCompleted
from code_core.session.session import Session, user_note
from code_core.session.tasks.task import Report

MOST_NAMED = 50
STEP_SECONDS = 60.0
"""How long an interrupt waits while files are restored."""


class UndoTask:
    """See `Task`."""

    interrupted_note = None

    def __init__(self, action: Literal["undo", "redo"]) -> None:
        self.kind: Literal["undo", "redo"] = action

    async def run(self, session: Session, report: Report) -> str | None:
        """See `Task.run`."""
        checkpoints = session.services.checkpoints
        if checkpoints is None:
            raise TurnError(f"nothing to {self.kind}: no checkpoints of files are kept in this session")
        # An incomplete step would mix the files of two turns.
        with anyio.move_on_after(STEP_SECONDS, shield=True) as clock:
            restored = await (checkpoints.undo() if self.kind == "undo" else checkpoints.redo())
            if restored is None:
                raise TurnError(f"nothing to {self.kind}")
            completed = UndoCompleted(
                action=self.kind,
                turn_id=restored.turn_id,
                files=list(restored.files),
                kept=list(restored.kept),
            )
            await report.emit(completed)
            if restored.files:
                await session.history.add(user_note(restored_note(self.kind, restored.files), report.turn_id))
        if clock.cancelled_caught:
            raise TurnError(
                f"{self.kind} took more than {STEP_SECONDS:g} s: check the files before you continue"
            )
        return None


def restored_note(action: str, files: Sequence[Path]) -> str:
    """Return the note that tells the model which files no longer match its last edits."""
    names = [escape(str(path), quote=False) for path in files[:MOST_NAMED]]
    if len(files) > MOST_NAMED:
        names.append(f"and {len(files) - MOST_NAMED} more")
    how = "undid your changes to" if action == "undo" else "brought back your changes to"
    listed = "\n".join(names)
    return f"<files_restored>\nThe user {how} these files; read them again before you edit them:\n{listed}\n</files_restored>"
