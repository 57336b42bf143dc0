"""The log of user input across sessions: `<home>/history.jsonl`, one `{"session_id", "ts", "text"}` per line.

The format is that of Codex. An entry is addressed by its log (the file's inode) and its number in
it, so a frontend that remembers both never gets a different entry.
"""

import fcntl
import json
import os
import time
from pathlib import Path

from code_core.frozen import frozen
from code_core.store.errors import StoreError
from code_core.store.layout import make_private_directory, open_private

MOST_BYTES = 8 * 2**20
"""File size above which the oldest entries are dropped."""

_KEPT = 0.8  # share of the size limit to keep when trimming
_TRIES = 10
_PAUSE = 0.1
_CHUNK = 2**20


@frozen
class HistoryEntry:
    """User input, with its time (seconds since 1970) and session."""

    session_id: str
    ts: int
    text: str


@frozen
class HistoryLog:
    """The current log: its id and number of entries."""

    log_id: int
    count: int


class MessageHistory:
    """The message history of a home directory. Methods may wait up to a second for another process.

    Args:
        home: the directory of the file.
        most_bytes: its size limit.
    """

    def __init__(self, home: Path, most_bytes: int = MOST_BYTES) -> None:
        self.path = home / "history.jsonl"
        self._most = most_bytes

    def append(self, session_id: str, text: str, now: float) -> None:
        """Append user input from time `now`, in seconds since 1970; drops the oldest entries of a full file.

        Raises:
            StoreError: the file cannot be written, stays locked for too long, or is too small for the text.
        """
        line = json.dumps({"session_id": session_id, "ts": int(now), "text": text}).encode() + b"\n"
        if len(line) > self._most * _KEPT:
            raise StoreError(f"a message of {len(line):,} bytes is too long for {self.path}")
        try:
            make_private_directory(self.path.parent)
            descriptor = self._locked()
            try:
                size = os.fstat(descriptor).st_size
                if size + len(line) > self._most:
                    self._trim(descriptor, size, line)
                    return
                torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
                data = b"\n" + line if torn else line
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror}") from error

    def log(self) -> HistoryLog:
        """Return the id of the log and its number of entries, 0 if it cannot be read."""
        try:
            descriptor = open_private(self.path, os.O_RDONLY)
        except OSError:
            return HistoryLog(0, 0)
        with os.fdopen(descriptor, "rb") as file:
            count = 0
            while chunk := file.read(_CHUNK):
                count += chunk.count(b"\n")
            return HistoryLog(os.fstat(descriptor).st_ino, count)

    def entry(self, log_id: int, offset: int) -> HistoryEntry | None:
        """Return entry number `offset`, counting from the oldest as 0, or None if the log was replaced."""
        try:
            descriptor = open_private(self.path, os.O_RDONLY)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_ino != log_id or offset < 0:
                return None
            for number, line in enumerate(file):
                if number == offset:
                    return _entry(line) if line.endswith(b"\n") else None
        return None

    def _locked(self) -> int:
        """A locked descriptor of the file that currently has this name."""
        for _ in range(_TRIES):
            descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_ino == self.path.lstat().st_ino:
                    return descriptor
            except BlockingIOError:
                time.sleep(_PAUSE)
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise StoreError(f"cannot write {self.path}: another process keeps it locked")

    def _trim(self, descriptor: int, size: int, line: bytes) -> None:
        """Replace the file with one that contains the newest entries and `line`, which gives the log a new id."""
        room = int(self._most * _KEPT) - len(line)
        kept = os.pread(descriptor, room, max(0, size - room))
        if size > room:
            kept = kept.partition(b"\n")[2]
        if kept and not kept.endswith(b"\n"):
            kept += b"\n"
        new = self.path.with_name(f".history-{os.getpid()}.tmp")
        new_descriptor = open_private(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            data = kept + line
            while data:
                data = data[os.write(new_descriptor, data) :]
            os.replace(new, self.path)  # noqa: PTH105 - next to calls on descriptors
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        finally:
            os.close(new_descriptor)


def _entry(line: bytes) -> HistoryEntry | None:
    try:
        fields = json.loads(line)
        session_id, ts, text = fields["session_id"], fields["ts"], fields["text"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not (isinstance(session_id, str) and isinstance(ts, int) and isinstance(text, str)):
        return None
    return HistoryEntry(session_id, ts, text)
