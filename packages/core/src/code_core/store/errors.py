"""Errors of stored sessions.

StoreError
├── JournalError        an entry could not be written, so the turn must stop
│   └── JournalTimeout  an entry was not written in time, but may still be
├── RolloutUnreadable   a file is not a rollout or is not readable
├── SessionNotFound     no stored session matches
├── AmbiguousSession    several stored sessions match
├── SessionInUse        another process has the session open
├── CannotLock          the lock file of a session cannot be written
├── LocksUnsupported    the file system does not support locks
└── CheckpointError     the checkpoint store is damaged, missing or full
"""

from code_core.errors import CodeError


class StoreError(CodeError):
    """A stored session could not be written, read or changed."""


class JournalError(StoreError):
    """An entry was not recorded; nothing that depends on it may proceed."""


class JournalTimeout(JournalError):  # noqa: N818 - a state of the journal
    """The journal timed out; its entries may or may not be recorded."""


class RolloutUnreadable(StoreError):  # noqa: N818 - a state of the file, named as the field does
    """The file is not a rollout of ours or of Codex, or is not readable."""


class SessionNotFound(StoreError):  # noqa: N818 - same
    """No stored session has this id, id prefix, name or path."""


class AmbiguousSession(StoreError):  # noqa: N818 - same
    """Several stored sessions match; the message lists some of them."""


class SessionInUse(StoreError):  # noqa: N818 - same
    """Another process has the session open; the message names it."""


class CannotLock(StoreError):  # noqa: N818 - same
    """The lock file of a session cannot be written: the home directory is read-only, or its disk is full."""


class LocksUnsupported(StoreError):  # noqa: N818 - same
    """The file system does not support locks, as with some network file systems."""


class CheckpointError(StoreError):
    """Files cannot be saved for undo, or cannot be restored."""
