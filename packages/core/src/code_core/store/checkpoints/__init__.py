"""Checkpoints of what the agent changed on disk in each turn, for undo and redo.

They work on files directly, independently of version control: git's index, refs, stash and
config are never read or written.
"""

from code_core.store.checkpoints.checkpoints import Checkpoints
from code_core.store.checkpoints.restoring import Left, Outcome

__all__ = ["Checkpoints", "Left", "Outcome"]
