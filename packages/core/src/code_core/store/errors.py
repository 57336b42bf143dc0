"""What can go wrong with stored sessions.

StoreError
├── JournalError        an entry could not be written, so the turn must stop
│   └── JournalTimeout  it was not written in time, and may be written yet
├── RolloutUnreadable   a file is not a rollout, or may not be read
├── SessionNotFound     no stored session matches
├── AmbiguousSession    more than one does
├── SessionInUse        another process has the session open
├── CannotLock          the file that locks a session cannot be written
├── LocksUnsupported    the file system cannot lock files
└── CheckpointError     the checkpoint store is damaged, missing or full
"""

from code_core.errors import CodeError


class StoreError(CodeError):
    """A stored session could not be written, read or changed."""


class JournalError(StoreError):
    """An entry was not recorded; nothing that depends on it may go on."""


class JournalTimeout(JournalError):  # noqa: N818 - a state of the journal
    """The journal did not answer in time; what it was given may be recorded or not."""


class RolloutUnreadable(StoreError):  # noqa: N818 - a state of the file, named as the field does
    """The file is not a rollout of ours or of Codex, or it may not be read."""


class SessionNotFound(StoreError):  # noqa: N818 - same
    """No stored session has this id, id prefix, name or path."""


class AmbiguousSession(StoreError):  # noqa: N818 - same
    """Several stored sessions match; the message lists some of them."""


class SessionInUse(StoreError):  # noqa: N818 - same
    """Another process has the session open; the message names it."""


class CannotLock(StoreError):  # noqa: N818 - same
    """The file that locks a session cannot be written: the home is read-only, or its disk is full."""


class LocksUnsupported(StoreError):  # noqa: N818 - same
    """The file system that holds the locks cannot lock files, as some network file systems."""


class CheckpointError(StoreError):
    """Files cannot be saved for undo, or not be restored."""
