"""Locks a session for one process with a lock file that names its holder.

The operating system's lock (`flock`) decides, so a dead process holds nothing. On file systems
without locks, such as some network file systems, the holder named in the file decides: its pid
together with the start time of that process, because pids are reused.
"""

import errno
import fcntl
import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from code_core.frozen import frozen
from code_core.store.errors import CannotLock, LocksUnsupported, SessionInUse
from code_core.store.layout import make_private_directory, open_private

_NOT_SUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_HELD = {errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN}
SUFFIX = ".lock"
_TRIES = 20
_PATIENCE = 3


@frozen
class Holder:
    """The process that has a session open.

    Attributes:
        started: when the process started, in system-specific form; empty if unknown.
        since: when it opened the session, in UTC.
    """

    pid: int
    started: str
    host: str
    since: str

    @classmethod
    def this_process(cls) -> "Holder":
        """Return this process as a holder."""
        pid = os.getpid()
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return cls(pid, process_start(pid), os.uname().nodename, now)

    @property
    def alive(self) -> bool:
        """Whether the process may still be running; always true for one on another host."""
        if self.host != os.uname().nodename:
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):
            pass
        return not self.started or process_start(self.pid) in {"", self.started}

    def __str__(self) -> str:
        where = "" if self.host == os.uname().nodename else f" on {self.host}"
        who = "this process" if not where and self.pid == os.getpid() else f"process {self.pid}{where}"
        return f"{who}, since {self.since}"


class SessionLock:
    """A held lock, released by `release` or the end of the process.

    Attributes:
        warning: a warning for the user if the lock is weak, or None.
    """

    def __init__(self, path: Path, descriptor: int, warning: str | None) -> None:
        self.path = path
        self.warning = warning
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if _is_file_at(
            self.path, descriptor
        ):  # while it is locked, so that no other process can hold this file
            with suppress(OSError):
                os.unlink(self.path)  # noqa: PTH108 - next to calls on descriptors
        os.close(descriptor)


def lock_path(home: Path, session_id: str) -> Path:
    """Return the file that is locked while a session is open."""
    return home / "locks" / f"{session_id}{SUFFIX}"


def acquire(home: Path, session_id: str, *, weak: bool = True) -> SessionLock:
    """Lock a session.

    Args:
        home: the home directory.
        session_id: the session to lock.
        weak: whether to rely on the named holder if the file system does not support locks.

    Raises:
        SessionInUse: another process has the session open.
        LocksUnsupported: the file system does not support locks, and `weak` is false.
        CannotLock: the lock file cannot be written.
    """
    path = lock_path(home, session_id)
    try:
        make_private_directory(path.parent)
        for attempt in range(_TRIES):
            try:
                lock = _try(path, session_id, weak=weak)
            except SessionInUse:
                if attempt >= _PATIENCE:
                    raise
                time.sleep(0.01)  # `holder_of` may have held it briefly
                continue
            if lock is not None:
                return lock
    except OSError as error:
        raise CannotLock(f"cannot lock the session {session_id}: {path}: {error.strerror}") from error
    raise CannotLock(f"cannot lock the session {session_id}: {path} keeps being replaced")


def holder_of(home: Path, session_id: str) -> Holder | None:
    """Return who has the session open, without opening it, or None."""
    path = lock_path(home, session_id)
    try:
        descriptor = open_private(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        holder = _read(descriptor)
        if error.errno in _NOT_SUPPORTED and not (holder and holder.alive):
            return None
        return holder or Holder(0, "", os.uname().nodename, "an unknown time")
    finally:
        os.close(descriptor)
    return None


def _try(path: Path, session_id: str, *, weak: bool) -> SessionLock | None:
    """The lock, or None if its file was replaced while we opened it."""
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    warning = None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _HELD:
                raise _in_use(session_id, _read(descriptor)) from None
            if error.errno not in _NOT_SUPPORTED:
                raise
            warning = _take_by_name(path, descriptor, session_id, error, weak=weak)
        if not _is_file_at(path, descriptor):
            os.close(descriptor)
            return None
        if warning is None:
            _name_us(descriptor)
    except BaseException:
        with suppress(OSError):
            os.close(descriptor)
        raise
    return SessionLock(path, descriptor, warning)


def _take_by_name(path: Path, descriptor: int, session_id: str, error: OSError, *, weak: bool) -> str:
    if not weak:
        raise LocksUnsupported(
            f"cannot lock the session {session_id}: the file system of {path.parent} does not support locks"
            f" ({error.strerror}): set CODE_HOME to a directory on a local disk"
        )
    holder = _read(descriptor)
    if holder is not None and holder.alive:
        raise _in_use(session_id, holder, path if holder.host != os.uname().nodename else None)
    _name_us(descriptor)
    return (
        f"the file system of {path.parent} does not support locks ({error.strerror}): do not open the session"
        " in two programs at once, or set CODE_HOME to a directory on a local disk"
    )


def _in_use(session_id: str, holder: Holder | None, remove: Path | None = None) -> SessionInUse:
    who = "another process" if holder is None else str(holder)
    hint = "" if remove is None else f" (if that process has ended, delete {remove})"
    return SessionInUse(
        f"the session {session_id} is open in {who}: close it there, or continue with a copy: code fork {session_id}{hint}"
    )


def _name_us(descriptor: int) -> None:
    holder = Holder.this_process()
    fields = {"pid": holder.pid, "started": holder.started, "host": holder.host, "since": holder.since}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(fields).encode(), 0)


def _read(descriptor: int) -> Holder | None:
    try:
        fields = json.loads(os.pread(descriptor, 4096, 0))
        values = fields["pid"], fields["started"], fields["host"], fields["since"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    pid, started, host, since = values
    if not (isinstance(pid, int) and pid > 0 and all(isinstance(text, str) for text in values[1:])):
        return None
    return Holder(pid, started, host, since)


def _is_file_at(path: Path, descriptor: int) -> bool:
    try:
        there, ours = path.lstat(), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def process_start(pid: int) -> str:
    """Return when the process started, with the id of the boot, or an empty string if unknown."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - a file of the kernel
            ticks = file.read().rpartition(b")")[2].split()[19]
        with open("/proc/sys/kernel/random/boot_id", "rb") as file:  # noqa: PTH123 - same
            boot = file.read().strip()
    except (OSError, IndexError):
        return ""
    return f"{boot.decode('ascii', 'replace')} {ticks.decode('ascii', 'replace')}"
