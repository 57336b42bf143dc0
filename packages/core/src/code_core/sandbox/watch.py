"""Notices when a command has changed what its sandbox could not protect.

Only what makes others run programs, or the agent do something else: git's settings and
hooks, the agent's settings and rules. Too late to prevent it, in time to tell the user.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING

from code_core.sandbox.confinement import Confinement
from code_core.sandbox.placeholders import READ_AS_FILES

if TYPE_CHECKING:
    from _hashlib import HASH

_NAMES = (
    "config",
    "config.worktree",
    "hooks",
    "commondir",
    "config.toml",
    "rules",
    "AGENTS.md",
    "prompts",
    "skills",
)

Seen = dict[Path, bytes]


def watched(confinement: Confinement, *, protects: bool) -> tuple[Path, ...]:
    """What can be changed in spite of a sandbox that `protects` what exists, or does not.

    The agent's own files are left out: where they cannot be protected, they are not writable.
    """
    if protects:
        return (*confinement.links, *(path for path in confinement.absent if path.name in READ_AS_FILES))
    own = set(confinement.own)
    return (
        *confinement.links,
        *(path for path in (*confinement.protected, *confinement.absent) if path not in own),
    )


def seen_in(paths: Iterable[Path]) -> Seen:
    """What marks the present state of each path; a command's change of it cannot be undone.

    However many files there are, all are looked at, in constant memory.
    """
    return {path: _mark(path) for path in paths}


def changed(before: Seen, after: Seen) -> list[Path]:
    """The paths that are new, other or gone."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _mark(path: Path) -> bytes:
    mark = hashlib.sha256()
    _add(mark, path, inside=path.name == "hooks")
    # Of a directory with settings only those: it holds sessions or objects, too.
    for part in (path / name for name in _NAMES):
        _add(mark, part)
    return mark.digest()


def _add(mark: "HASH", path: Path, *, inside: bool = True) -> None:
    try:
        status = path.lstat()
        if S_ISDIR(status.st_mode):
            mark.update(f"{path}\0".encode(errors="surrogateescape"))
            if inside:
                for name in sorted(os.listdir(path)):  # noqa: PTH208 - names, not paths
                    _add(mark, path / name)
            return
    except OSError:
        return
    # The kernel alone sets the time of the last change of status.
    facts = (path, status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns)
    mark.update("\0".join(map(str, facts)).encode(errors="surrogateescape"))
