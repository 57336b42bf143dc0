"""Empty directories in place of what is protected but does not exist, while a command runs.

A mount needs something to be mounted on. Each command that needs one holds a lock on it, so
that the last of them removes it, whichever process that is; only one whose agent was killed
leaves an empty directory behind.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from code_core.sandbox.confinement import Confinement

READ_AS_FILES = frozenset({"commondir", "gitdir", "config", "config.worktree", ".gitconfig"})
"""What git reads where it exists, and fails on if it is a directory: their appearance can only be noticed."""


@contextmanager
def placeholders(confinement: Confinement) -> Iterator[Confinement]:
    """`confinement` with its absent paths made, as far as that can be.

    What we may not make a command may not make either, but for `READ_AS_FILES`.
    """
    if not confinement.absent:
        yield confinement
        return
    with ExitStack() as stack:
        wanted = [path for path in confinement.absent if path.name not in READ_AS_FILES]
        made = [path for path in wanted if stack.enter_context(_placeholder(path))]
        yield replace(confinement, absent=tuple(made))


@contextmanager
def _placeholder(path: Path) -> Iterator[bool]:
    try:
        with suppress(FileExistsError):
            path.mkdir(mode=0o755)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield True
        with suppress(OSError):  # another command still needs it, or there is something in it now
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.rmdir()
    finally:
        os.close(fd)
