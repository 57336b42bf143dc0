"""Writes a rollout: one `write` per line; written lines are never rewritten."""

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from errno import ENOENT
from pathlib import Path

from code_core.store.entries import ORIGINATOR, WRITER, Entry, Line, SessionMeta
from code_core.store.errors import JournalError
from code_core.store.layout import make_private_directory, open_private
from code_core.store.lines import encode


def utc_now() -> datetime:
    """Return the current time, for the timestamps of lines."""
    return datetime.now(UTC)


class RolloutFile:
    """The file of one session, created when the first entry is written.

    Not thread-safe. A failed write leaves the file unchanged; if even that fails, an incomplete
    line may remain at its end, which readers skip.

    Args:
        path: the file, which may not exist yet.
        meta: the first entry of a new file; None continues the file at `path`.
        next_ordinal: the sequence number of the next line, in files whose lines have one.
        foreign: whether another program created the file, so that our lines must be marked.
        clock: returns the time, in UTC.
    """

    def __init__(
        self,
        path: Path,
        meta: SessionMeta | None,
        next_ordinal: int | None = None,
        *,
        foreign: bool = False,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.path = path
        self._meta = meta
        self._ordinal = next_ordinal
        self._mark = {WRITER: ORIGINATOR} if foreign else {}
        self._clock = clock
        self._stamp = ""
        self._descriptor: int | None = None
        self._new_directory = False
        self._mid_line = False
        self._closed = False

    @property
    def exists(self) -> bool:
        """Whether the file has been created or existed before."""
        return self._meta is None

    def write(self, entries: Sequence[Entry]) -> None:
        """Append `entries`, all or none, creating the file if needed.

        Raises:
            JournalError: `entries` are not in the file and may be written again.
        """
        if self._closed:
            raise JournalError(f"cannot write the session {self.path}: it is closed")
        try:
            lines, ordinal = self._lines(entries if self._meta is None else [self._meta, *entries])
            self._write_lines(self._opened(), lines)
        except (OSError, ValueError) as error:
            raise self._failure(error) from error
        self._meta = None
        self._ordinal = ordinal

    def sync(self) -> None:
        """Flush the file to disk, and the first time its directory too.

        Raises:
            JournalError: the data cannot be written.
        """
        if self._descriptor is None:
            return
        try:
            os.fsync(self._descriptor)
            if self._new_directory:
                self._new_directory = False
                _sync_directory(self.path.parent)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the file; further calls do nothing."""
        self._closed = True
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _opened(self) -> int:
        if self._descriptor is None:
            if self._meta is not None:
                make_private_directory(self.path.parent)
                self._descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
                self._new_directory = True
            else:
                self._descriptor = open_private(self.path, os.O_RDWR | os.O_APPEND)
                self._mid_line = _ends_mid_line(self._descriptor)
        elif os.fstat(self._descriptor).st_nlink == 0:
            raise OSError(ENOENT, "the file was deleted while the session was using it")
        return self._descriptor

    def _lines(self, entries: Sequence[Entry]) -> tuple[list[bytes], int | None]:
        """The bytes of `entries`, and the sequence number after them."""
        lines: list[bytes] = []
        ordinal = self._ordinal
        for entry in entries:
            # Timestamps must not go backwards when the clock is set back.
            self._stamp = max(self._stamp, f"{self._clock():%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z")
            extra = self._mark if ordinal is None else {"ordinal": ordinal, **self._mark}
            lines.append(encode(Line(entry, self._stamp, extra)))
            ordinal = None if ordinal is None else ordinal + 1
        return lines, ordinal

    def _write_lines(self, descriptor: int, lines: Sequence[bytes]) -> None:
        """Write each line with one call, or more if the system accepts only a part."""
        before = os.fstat(descriptor).st_size
        written = 0
        try:
            for line in lines:
                data = b"\n" + line if self._mid_line else line
                while data:
                    count = os.write(descriptor, data)
                    written += count
                    data = data[count:]
                self._mid_line = False
        except BaseException:
            self._take_back(descriptor, before, written)
            raise

    def _take_back(self, descriptor: int, before: int, written: int) -> None:
        """Truncate what was written, unless another process has written after it."""
        if not written:
            return
        self._mid_line = True
        try:
            if os.fstat(descriptor).st_size == before + written:
                os.ftruncate(descriptor, before)
                self._mid_line = _ends_mid_line(descriptor)
        except OSError:  # the next write starts with a line feed, and readers skip the incomplete line
            pass

    def _failure(self, error: OSError | ValueError) -> JournalError:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
        return JournalError(
            f"cannot write the session to {self.path}: {reason}. The turn stops here so that nothing is lost:"
            " free space or make the file writable, then send the message again"
        )


def _ends_mid_line(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
