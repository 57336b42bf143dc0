"""Detects changes by a command that its sandbox could not prevent.

It covers only files that make other programs run code or change the agent's behaviour: git's
settings and hooks, and the agent's settings and rules. It does not prevent changes; the user is warned about them.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.git_directories import RUNS_PROGRAMS
from code_core.sandbox.placeholders import READ_AS_FILES
from code_core.sandbox.protected import SETTINGS

if TYPE_CHECKING:
    from _hashlib import HASH

_NAMES = (*RUNS_PROGRAMS, "commondir", *SETTINGS)

Seen = dict[Path, bytes]


def watched(confinement: Confinement, *, protects: bool) -> tuple[Path, ...]:
    """Return what a command can change in spite of its sandbox.

    The agent's own files are left out: where they cannot be protected, they are not writable.

    Args:
        confinement: what the command may do.
        protects: whether the sandbox protects existing files.
    """
    if protects:
        return (*confinement.links, *(path for path in confinement.absent if path.name in READ_AS_FILES))
    own = set(confinement.own)
    return (
        *confinement.links,
        *(path for path in (*confinement.protected, *confinement.absent) if path not in own),
    )


def seen_in(paths: Iterable[Path]) -> Seen:
    """Return a fingerprint of the current state of each path and its settings, to detect changes later.

    In a directory, only names of settings are covered, because it may contain sessions or objects. In these,
    any number of files is covered, in constant memory.
    """
    seen: Seen = {}
    for path in paths:
        seen[path] = _mark(path, inside=path.name == "hooks")
        seen |= {path / name: _mark(path / name) for name in _NAMES}
    return seen


def changed(before: Seen, after: Seen) -> list[Path]:
    """Return the paths that were created, changed or deleted."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _mark(path: Path, *, inside: bool = True) -> bytes:
    mark = hashlib.sha256()
    _add(mark, path, inside=inside)
    return mark.digest()


def _add(mark: "HASH", path: Path, *, inside: bool) -> None:
    try:
        status = path.lstat()
        if S_ISDIR(status.st_mode):
            mark.update(f"{path}\0".encode(errors="surrogateescape"))
            if inside:
                for name in sorted(os.listdir(path)):  # noqa: PTH208 - names, not paths
                    _add(mark, path / name, inside=True)
            return
    except OSError:
        return
    # Only the kernel sets the time of the last status change.
    facts = (path, status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns)
    mark.update("\0".join(map(str, facts)).encode(errors="surrogateescape"))
