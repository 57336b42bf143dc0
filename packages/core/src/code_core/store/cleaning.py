"""Deletes what stored sessions leave behind: outputs, checkpoints, locks and, if configured, old sessions.

It never deletes what an open session uses, or anything that changed within the last hour. Each run does
a bounded amount of work, and the next one continues.
"""

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from code_core.frozen import frozen
from code_core.store import lock
from code_core.store.errors import SessionInUse, StoreError
from code_core.store.layout import make_private_directory, open_private, walk_rollouts

_HOUR = 3600.0
_DAY = 24 * _HOUR
_MOST_FILES = 100_000  # scanned per session
_ASIDE = ".deleted-"


@frozen
class Limit:
    """How much of one kind is kept; None keeps everything.

    Attributes:
        days: anything unchanged for so long is deleted.
        megabytes: the total size (MiB) above which the oldest are deleted.
    """

    days: float | None
    megabytes: float | None


@frozen
class CleaningSettings:
    """What is deleted, and how often.

    Attributes:
        hours: the minimum time between runs.
        most: the maximum number of sessions to delete from in one run.
        seconds: the time limit of a run.
    """

    outputs: Limit = Limit(30, 1024)
    checkpoints: Limit = Limit(30, 2048)
    sessions: Limit = Limit(None, None)
    hours: float = 6
    most: int = 500
    seconds: float = 2


DEFAULTS = CleaningSettings()


@dataclass(slots=True)
class Cleaned:
    """The result of a run.

    Attributes:
        deleted: sessions that lost their outputs, checkpoints or rollouts.
        in_use: sessions that were skipped because they are open.
        failed: what could not be deleted, one sentence each.
    """

    deleted: int = 0
    bytes: int = 0
    in_use: int = 0
    failed: list[str] = field(default_factory=list)


@frozen
class _Candidate:
    """Something to delete: a directory of one session, or its rollout."""

    session_id: str
    path: Path
    changed: float
    bytes: int


def clean(
    home: Path, settings: CleaningSettings = DEFAULTS, clock: Callable[[], float] = time.time
) -> Cleaned | None:
    """Delete what is too old or too large; None if another process is cleaning or a run was recent.

    Raises:
        StoreError: the home directory is not writable.
    """
    stamp = home / "locks" / "cleaning"
    try:
        make_private_directory(stamp.parent)
        descriptor = open_private(stamp, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StoreError(f"cannot clean {home}: {stamp}: {error.strerror}") from error
    try:
        if not _is_due(descriptor, clock(), settings.hours * _HOUR):
            return None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"\n", 0)
        os.utime(descriptor, (clock(), clock()))
        return _Run(home, settings, clock).run()
    except OSError as error:
        raise StoreError(f"cannot clean {home}: {stamp}: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _is_due(stamp: int, now: float, pause: float) -> bool:
    try:
        fcntl.flock(stamp, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process is cleaning, or locks do not work, so deleting is not safe
        return False
    status = os.fstat(stamp)
    # A time in the future means that the clock has been set back since.
    return status.st_size == 0 or not 0 <= now - status.st_mtime < pause


class _Run:
    def __init__(self, home: Path, settings: CleaningSettings, clock: Callable[[], float]) -> None:
        self._home = home
        self._settings = settings
        self._now = clock()
        self._deadline = time.monotonic() + settings.seconds
        self._done = Cleaned()

    def run(self) -> Cleaned:
        settings = self._settings
        for name, limit in (("outputs", settings.outputs), ("checkpoints", settings.checkpoints)):
            if limit != Limit(None, None):
                self._keep(list(self._directories(self._home / name)), limit)
        if settings.sessions != Limit(None, None):
            self._keep(list(self._rollouts()), settings.sessions)
        self._release_stale_locks()
        return self._done

    def _release_stale_locks(self) -> None:
        """Delete the locks of dead processes, whose sessions may never be opened again."""
        try:
            with os.scandir(self._home / "locks") as entries:
                old = [entry.name for entry in entries if self._now - entry.stat().st_mtime >= _HOUR]
        except OSError:
            return
        for name in old:
            if name.endswith(lock.SUFFIX) and not self._is_over():
                with suppress(StoreError):  # including SessionInUse
                    lock.acquire(self._home, name.removesuffix(lock.SUFFIX), weak=False).release()

    def _keep(self, candidates: list[_Candidate], limit: Limit) -> None:
        candidates.sort(key=lambda candidate: candidate.changed)
        total = sum(candidate.bytes for candidate in candidates)
        for candidate in candidates:
            age = self._now - candidate.changed
            too_old = limit.days is not None and age > limit.days * _DAY
            too_much = limit.megabytes is not None and total > limit.megabytes * 2**20
            if age < _HOUR or not (too_old or too_much):
                break
            if self._done.deleted >= self._settings.most or self._is_over():
                break
            if self._delete(candidate):
                total -= candidate.bytes

    def _delete(self, candidate: _Candidate) -> bool:
        try:
            held = lock.acquire(self._home, candidate.session_id, weak=False)
        except SessionInUse:
            self._done.in_use += 1
            return False
        except StoreError as error:
            self._done.failed.append(str(error))
            return False
        try:
            doomed = _set_aside(candidate.path)
        except OSError as error:
            self._done.failed.append(f"cannot delete {candidate.path}: {error.strerror}")
            return False
        finally:
            held.release()
        if doomed is not None:
            try:
                shutil.rmtree(doomed)
            except OSError as error:  # the next run retries
                self._done.failed.append(f"cannot delete {doomed}: {error.strerror}")
                return False
        self._done.deleted += 1
        self._done.bytes += candidate.bytes
        return True

    def _directories(self, parent: Path) -> Iterator[_Candidate]:
        try:
            with os.scandir(parent) as entries:
                directories = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError:
            return
        for entry in directories:
            if self._is_over():
                return
            changed, size = _newest_and_size(Path(entry.path))
            yield _Candidate(entry.name, Path(entry.path), changed, size)

    def _rollouts(self) -> Iterator[_Candidate]:
        for rollout in walk_rollouts(self._home):
            if rollout.id:
                yield _Candidate(rollout.id, Path(rollout.path), rollout.changed_ns / 1e9, rollout.size)

    def _is_over(self) -> bool:
        return time.monotonic() > self._deadline


def _set_aside(path: Path) -> Path | None:
    """Delete a file; rename a directory, to be deleted once its session is unlocked."""
    with suppress(FileNotFoundError):
        if not path.is_dir():
            path.unlink()
        elif path.name.startswith(_ASIDE):
            return path
        else:
            return path.rename(path.with_name(f"{_ASIDE}{path.name}-{os.urandom(4).hex()}"))
    return None


def _newest_and_size(directory: Path) -> tuple[float, int]:
    """The time of the last change in the directory, and the total size of its files."""
    newest, size = 0.0, 0
    waiting = [os.fspath(directory)]
    seen = 0
    while waiting:
        path = waiting.pop()
        with suppress(OSError):
            newest = max(newest, os.stat(path, follow_symlinks=False).st_mtime)  # noqa: PTH116 - a text
            with os.scandir(path) as entries:
                for entry in entries:
                    seen += 1
                    status = entry.stat(follow_symlinks=False)
                    newest = max(newest, status.st_mtime)
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(entry.path)
                    else:
                        size += status.st_size
        if seen > _MOST_FILES:
            break
    return newest, size
