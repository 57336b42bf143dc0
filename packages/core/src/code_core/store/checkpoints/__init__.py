"""What the agent changed on disk, turn by turn, and the way back and forth.

Files are looked at by themselves, whatever version control there is: git's index, refs,
stash and config are never read or written.
"""

from code_core.store.checkpoints.checkpoints import Checkpoints
from code_core.store.checkpoints.restoring import Left, Outcome

__all__ = ["Checkpoints", "Left", "Outcome"]
