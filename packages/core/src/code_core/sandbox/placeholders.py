"""Creates empty directories for protected paths that do not exist, while a command runs.

A mount needs an existing mount point. Every command that needs one holds a lock on it, so that the
last of them removes it, in whichever process; an empty directory remains only if an agent was
killed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from code_core.sandbox.confinement import Confinement

READ_AS_FILES = frozenset({"commondir", "gitdir", "config", "config.worktree", ".gitconfig"})
"""Files that git reads if they exist and fails on if they are directories: their creation can only be detected."""


@contextmanager
def placeholders(confinement: Confinement) -> Iterator[Confinement]:
    """Yield `confinement` with its absent paths created where possible.

    Paths that we may not create, a command may not create either, except for `READ_AS_FILES`.
    """
    if not confinement.absent:
        yield confinement
        return
    with ExitStack() as stack:
        wanted = [path for path in confinement.absent if path.name not in READ_AS_FILES]
        created = [path for path in wanted if stack.enter_context(_placeholder(path))]
        yield replace(confinement, absent=tuple(created))


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
        try:
            yield True
        finally:
            with suppress(OSError):  # another command still needs it, or it is no longer empty
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.rmdir()
    finally:
        os.close(fd)
