"""Notices when a command has changed what its sandbox could not protect.

Only what makes others run programs, or the agent do something else: git's settings and
hooks, the agent's settings and rules. Too late to prevent it, in time to tell the user.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from stat import S_ISDIR

MOST_FILES = 10_000
_NAMES = ("config", "hooks", "config.toml", "rules")

Seen = dict[Path, tuple[int, ...]]


def seen_in(protected: Iterable[Path]) -> Seen:
    """What marks the present content of the files in these directories; a change of it cannot be undone."""
    return dict(islice(_files(path / name for path in protected for name in _NAMES), MOST_FILES))


def changed(before: Seen, after: Seen) -> list[Path]:
    """The files that are new, other or gone."""
    return sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, tuple[int, ...]]]:
    for path in paths:
        try:
            status = path.lstat()
            if S_ISDIR(status.st_mode):
                yield from _files(path.iterdir())
                continue
        except OSError:
            continue
        # The kernel alone sets the time of the last change of status.
        yield path, (status.st_ino, status.st_mode, status.st_size, status.st_ctime_ns)
