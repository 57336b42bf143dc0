"""Captures command output: both ends in memory, and long output on disk."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

DISK_LIMIT = 256 * 2**20


class Capture:
    """The start and the end of a stream of bytes, at most `limit` in total.

    Args:
        limit: bytes kept in memory.
        spill: a file for the complete output once `limit` is exceeded, up to `DISK_LIMIT`; None
            keeps only the two ends.
    """

    def __init__(self, limit: int, spill: Path | None = None) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._spill_path = spill
        self._spill: BinaryIO | None = None
        self._spilled = 0
        self._spill_problem: str | None = None
        self.total = 0
        self.newlines = 0

    def write(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self.total += len(chunk)
        self.newlines += chunk.count(b"\n")
        if self.total > 2 * self._half:
            self._write_spill(chunk)
        room = self._half - len(self._head)
        if room > 0:
            self._head += chunk[:room]
            chunk = chunk[room:]
        self._tail += chunk
        if len(self._tail) > 4 * self._half:  # trimmed rarely, so that each byte moves O(1) times
            del self._tail[: -self._half]

    def close(self) -> None:
        """Close the file, if one was written."""
        if self._spill is not None:
            self._spill.close()

    @property
    def kept_in(self) -> Path | None:
        """The file with everything so far, if one was written."""
        return self._spill_path if self._spill is not None and self._spill_problem is None else None

    def text(self) -> str:
        """Return the captured text; if it was too long, whole lines from both ends with a note in between."""
        tail = bytes(self._tail[-self._half :])
        if self.total <= 2 * self._half:
            return (self._head + tail).decode("utf-8", "replace")
        start = _up_to_last_newline(bytes(self._head)).decode("utf-8", "replace")
        end = _after_first_newline(tail).decode("utf-8", "replace")
        cut = self.total - 2 * self._half
        note = (
            f"[… about {cut:,} bytes cut of {self.total:,} in {self.newlines:,} lines{self._whereabouts()} …]"
        )
        return f"{start.removesuffix(chr(10))}\n{note}\n{end}"

    def _whereabouts(self) -> str:
        if self._spill_path is None:
            return ""
        if self._spill_problem is not None:
            return f"; the full output could not be kept: {self._spill_problem}"
        what = f"first {DISK_LIMIT // 2**20} MiB" if self.total > DISK_LIMIT else "full output"
        return f"; the {what} is in {self._spill_path}"

    def _write_spill(self, chunk: bytes) -> None:
        """Append to the file, which begins with the bytes in memory. A full disk must not fail the command."""
        if self._spill_path is None or self._spill_problem is not None:
            return
        try:
            if self._spill is None:
                self._spill = _create(self._spill_path)
                chunk = bytes(self._head + self._tail) + chunk
            self._spill.write(chunk[: DISK_LIMIT - self._spilled])
        except OSError as error:
            self._spill_problem = error.strerror or str(error)
        self._spilled = min(DISK_LIMIT, self._spilled + len(chunk))


def _create(path: Path) -> BinaryIO:
    """Create a file at `path`, replacing an existing one; a link is replaced, never followed.

    The directory is opened once and must not be a link, so that it cannot be swapped.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with suppress(FileNotFoundError):
            os.unlink(path.name, dir_fd=folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path.name, flags, 0o600, dir_fd=folder), "wb", buffering=0)
    finally:
        os.close(folder)


def _up_to_last_newline(data: bytes) -> bytes:
    end = data.rfind(b"\n")
    return data[: end + 1] if end >= 0 else data


def _after_first_newline(data: bytes) -> bytes:
    start = data.find(b"\n", 0, len(data) - 1)
    return data[start + 1 :] if start >= 0 else data
