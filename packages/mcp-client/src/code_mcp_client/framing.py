"""Splits bytes into lines, in linear time. No IO.

A line of any length is scanned once and copied once: only the newest chunk is searched for a
newline, and a line that spans chunks grows in one buffer, which is passed on without copying.
Of a line above the limit, only its ends are kept, because they identify the request that it answers.
"""

from collections import deque
from dataclasses import dataclass

_END_KEPT = 512


@dataclass(frozen=True, slots=True)
class OversizeLine:
    """A line longer than the limit: its length, its first bytes and its last bytes."""

    size: int
    head: bytes
    tail: bytes


Line = bytes | bytearray | OversizeLine


class LineBuffer:
    """Splits a stream of bytes at newlines.

    Args:
        limit: the maximum length of a line in bytes, without its newline.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._end_kept = min(_END_KEPT, limit)
        self._partial = bytearray()
        self._skipped = 0  # discarded bytes of an oversize line; 0 otherwise
        self._head = b""

    @property
    def unfinished(self) -> int:
        """Length of the incomplete line so far, in bytes."""
        return self._skipped + len(self._partial)

    def feed(self, chunk: bytes) -> deque[Line]:
        """Return the lines that `chunk` completes, without newlines, in order.

        The result is a queue, so that a reader can free each long line before the next.
        """
        lines: deque[Line] = deque()
        if b"\n" not in chunk:
            self._grow(chunk)
            return lines
        first, *others, rest = chunk.split(b"\n")
        self._grow(first)
        lines.append(self._take())
        lines.extend(line if len(line) <= self._limit else _oversize(line) for line in others)
        self._grow(rest)
        return lines

    def finish(self) -> Line | None:
        """Return the text after the last newline when the stream has ended, or None."""
        return self._take() if self._partial or self._skipped else None

    def _grow(self, piece: bytes) -> None:
        self._partial += piece
        if len(self._partial) > self._limit:
            if not self._skipped:
                self._head = bytes(self._partial[:_END_KEPT])
            gone = len(self._partial) - self._end_kept
            self._skipped += gone
            del self._partial[:gone]

    def _take(self) -> Line:
        line, self._partial = self._partial, bytearray()
        if not self._skipped:
            return line
        size, self._skipped = self._skipped + len(line), 0
        return OversizeLine(size, self._head, bytes(line[-_END_KEPT:]))


def _oversize(line: bytes) -> OversizeLine:
    return OversizeLine(len(line), line[:_END_KEPT], line[-_END_KEPT:])
