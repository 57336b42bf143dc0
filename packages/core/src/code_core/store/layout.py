"""The paths of stored sessions: `<home>/sessions/YYYY/MM/DD/rollout-<local time>-<id>.jsonl`.

The layout matches Codex, so that each program finds the other's sessions. Archived sessions are
directly in `<home>/archived_sessions`.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from errno import EINVAL, EPERM
from pathlib import Path
from typing import NamedTuple

from code_core.lazy_pattern import lazy_pattern

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700

_ID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_NAME = lazy_pattern(rf"rollout-(\d{{4}})-(\d\d)-(\d\d)T(\d\d)-(\d\d)-(\d\d)-({_ID})\.jsonl")
_WHOLE_ID = re.compile(_ID)
_DATE_PART = lazy_pattern(r"\d{1,4}")


class RolloutStat(NamedTuple):
    """A rollout as found by walking the directories, without reading it.

    Attributes:
        changed_ns: the time of its last change, in nanoseconds since 1970.
    """

    path: str
    archived: bool
    size: int
    changed_ns: int
    inode: int

    @property
    def id(self) -> str:
        """The session's id; empty if the file is not named like a rollout."""
        return id_of(os.path.basename(self.path)) or ""  # noqa: PTH119 - a text


def sessions_directory(home: Path) -> Path:
    """Return the directory of session rollouts, sorted by date."""
    return home / "sessions"


def archive_directory(home: Path) -> Path:
    """Return the directory of archived rollouts."""
    return home / "archived_sessions"


def is_session_id(text: str) -> bool:
    """Whether `text` is a complete session id: a UUID."""
    return _WHOLE_ID.fullmatch(text) is not None


def rollout_path(home: Path, session_id: str, local_time: datetime) -> Path:
    """Return the file for a session that begins at `local_time`."""
    name = f"rollout-{local_time:%Y-%m-%dT%H-%M-%S}-{session_id}.jsonl"
    return sessions_directory(home) / f"{local_time:%Y/%m/%d}" / name


def id_of(name: str) -> str | None:
    """Return the session id in the file name of a rollout, or None for other files."""
    match = _NAME.fullmatch(name)
    return match[7].lower() if match else None


def dated_path(home: Path, name: str) -> Path | None:
    """Return the path of the rollout `name` when it is not archived."""
    match = _NAME.fullmatch(name)
    return sessions_directory(home) / match[1] / match[2] / match[3] / name if match else None


def walk_rollouts(home: Path) -> Iterator[RolloutStat]:
    """Yield all rollouts of `home`, including archived ones, in any order; unreadable directories are skipped.

    Names are not validated, so an `id` may be empty.
    """
    for year in _date_directories(os.fspath(sessions_directory(home))):
        for month in _date_directories(year):
            for day in _date_directories(month):
                yield from _rollouts_in(day, archived=False)
    yield from _rollouts_in(os.fspath(archive_directory(home)), archived=True)


def _date_directories(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.path for entry in entries if _DATE_PART.fullmatch(entry.name) and entry.is_dir()]
    except OSError:
        return []


def _rollouts_in(path: str, *, archived: bool) -> Iterator[RolloutStat]:
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.name[:8] != "rollout-" or entry.name[-6:] != ".jsonl":
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # deleted in the meantime
                continue
            if stat.S_ISREG(status.st_mode):
                yield RolloutStat(entry.path, archived, status.st_size, status.st_mtime_ns, status.st_ino)


def make_private_directory(path: Path) -> None:
    """Create the directory and missing parents, accessible only to this user.

    Raises:
        OSError: it cannot be created.
    """
    missing: list[Path] = []
    while not os.path.isdir(path):  # noqa: PTH112 - mkdir reports invalid names
        missing.append(path)
        if path.parent == path:
            break
        path = path.parent
    for directory in reversed(missing):
        with suppress(FileExistsError):
            os.mkdir(directory, PRIVATE_DIRECTORY)  # noqa: PTH102 - one syscall, one mode


def open_private(path: Path, flags: int) -> int:
    """Open the file at `path`, which must be ours and not a link; created with mode 0600 if `flags` allow.

    Raises:
        OSError: it cannot be opened, or is a link, not a regular file, or another user's.
    """
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, PRIVATE_FILE)
    try:
        _check_ours(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_ours(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(EINVAL, "Not a regular file", str(path))
    if status.st_uid != os.geteuid():
        raise PermissionError(EPERM, "The file belongs to another user", str(path))


def outputs_of(home: Path, session_id: str) -> Path:
    """Return the directory of the complete outputs of a session's commands."""
    return home / "outputs" / session_id


def checkpoints_of(home: Path, session_id: str) -> Path:
    """Return the directory of a session's checkpoints."""
    return home / "checkpoints" / session_id
