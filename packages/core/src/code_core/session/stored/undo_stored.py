"""Undo and redo for a session that is not running, such as from the command line."""

from pathlib import Path
from typing import Literal

from code_core.session.session import user_note
from code_core.session.tasks.undo import restored_note
from code_core.store.checkpoints import Checkpoints, Outcome
from code_core.store.entries import ItemEntry
from code_core.store.errors import CheckpointError
from code_core.store.layout import checkpoints_of
from code_core.store.record import SessionRecord
from code_core.store.sessions import SessionStore


def step_stored(store: SessionStore, record: SessionRecord, action: Literal["undo", "redo"]) -> Outcome:
    """Undo or redo the last turn of a session; its model is told when the session is resumed.

    Raises:
        SessionInUse: the session is open.
        CheckpointError: there is nothing to undo, or saved data is damaged or missing.
        StoreError: the session could not be read or written.
    """
    session = store.resume(record)
    try:
        directory = checkpoints_of(store.home, session.id)
        checkpoints = Checkpoints(directory, ())
        outcome = checkpoints.undo() if action == "undo" else checkpoints.redo()
        if outcome is None:
            why = "" if directory.exists() else ": no checkpoints of its files are kept"
            raise CheckpointError(f"nothing to {action} in the session {session.id}{why}")
        if outcome.restored:
            note = user_note(restored_note(action, [Path(path) for path in outcome.restored]))
            session.file.write([ItemEntry(note.payload())])
            session.file.sync()
        return outcome
    finally:
        session.file.close()
        session.lock.release()
