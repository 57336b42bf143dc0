"""Reads the lines of a rollout forwards and backwards, in bounded memory for any file."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from code_core.store.lines import LONGEST_LINE


class RawLine(NamedTuple):
    """A line as raw bytes.

    Attributes:
        offset: where it begins in the file.
        end: where the next line begins.
        data: without the line feed; None for a line longer than `LONGEST_LINE`.
        whole: whether a line feed ends it; only the last line of a file may lack one.
    """

    offset: int
    end: int
    data: bytes | None
    whole: bool


@dataclass(slots=True)
class Span:
    """A part of a file that is open for reading.

    It is read with `pread`, `chunk` bytes at a time, so several spans can share a descriptor.
    """

    descriptor: int
    start: int
    end: int
    chunk: int = 2**20

    def forwards(self) -> Iterator[RawLine]:
        """Yield the lines of the span, first to last; the span must begin at the start of a line."""
        offset = position = self.start
        parts: list[bytes] | None = []
        held = 0
        while position < self.end:
            chunk = os.pread(self.descriptor, min(self.chunk, self.end - position), position)
            if not chunk:
                break
            begin = 0
            while (feed := chunk.find(b"\n", begin)) >= 0:
                held += feed - begin
                end = position + feed + 1
                if parts is None or held > LONGEST_LINE:
                    yield RawLine(offset, end, None, whole=True)
                else:
                    yield RawLine(offset, end, b"".join((*parts, chunk[begin:feed])), whole=True)
                parts, held, offset, begin = [], 0, end, feed + 1
            held += len(chunk) - begin
            if parts is None or held > LONGEST_LINE:
                parts = None
            elif begin < len(chunk):
                parts.append(chunk[begin:])
            position += len(chunk)
        if held:
            yield RawLine(offset, position, None if parts is None else b"".join(parts), whole=False)

    def backwards(self) -> Iterator[RawLine]:
        """Yield the lines of the span, last to first; the span must begin at the start of a line."""
        position = line_end = self.end
        whole = False  # whether a line feed precedes `line_end`
        tail: list[bytes] | None = []  # parts of the current line, last part first
        held = 0
        while position > self.start:
            length = min(self.chunk, position - self.start)
            chunk = os.pread(self.descriptor, length, position - length)
            if len(chunk) < length:
                return  # truncated by another process in the meantime
            position -= length
            stop = length
            while (feed := chunk.rfind(b"\n", 0, stop)) >= 0:
                begin = position + feed + 1
                held += stop - feed - 1
                if begin < line_end or whole:
                    yield self._gathered(begin, line_end, chunk[feed + 1 : stop], tail, held, whole=whole)
                tail, held, line_end, whole, stop = [], 0, begin, True, feed
            held += stop
            if tail is None or held > LONGEST_LINE:
                tail = None
            elif stop:
                tail.append(chunk[:stop])
        if line_end > self.start:
            yield self._gathered(self.start, line_end, b"", tail, held, whole=whole)

    @staticmethod
    def _gathered(
        begin: int, end: int, head: bytes, tail: list[bytes] | None, held: int, *, whole: bool
    ) -> RawLine:
        if tail is None or held > LONGEST_LINE:
            return RawLine(begin, end, None, whole=whole)
        return RawLine(begin, end, b"".join((head, *reversed(tail))), whole=whole)
