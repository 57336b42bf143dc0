"""Finds where a body ends (RFC 9112 §6, §7.1), separating its bytes from what follows. No IO."""

import re
from enum import Enum, auto
from typing import Protocol

from code_responses_api_proxy.fields import parse_fields

_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_LINE_LIMIT = 4096
_TRAILERS_LIMIT = 16 * 1024


class MalformedBodyError(ValueError):
    """The data is not a valid chunked body."""


class BodyTooLargeError(ValueError):
    """The body is larger than allowed."""


class Body(Protocol):
    """A body as it arrives."""

    @property
    def done(self) -> bool:
        """Whether the body is complete."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the body in `data`, and what follows the body."""


class LengthBody:
    """A body of `length` bytes."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def done(self) -> bool:
        """Whether the body is complete."""
        return self._left == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the body in `data`, and what follows the body."""
        if len(data) <= self._left:
            self._left -= len(data)
            return data, b""
        end, self._left = self._left, 0
        return data[:end], data[end:]


class EndlessBody:
    """A body that ends with the connection."""

    __slots__ = ()
    done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return all of `data`."""
        return data, b""


class _Part(Enum):
    SIZE = auto()
    DATA = auto()
    DATA_END = auto()
    TRAILERS = auto()


class ChunkedBody:
    """A chunked body of at most `limit` bytes; chunk extensions and trailers are validated and dropped.

    Raises:
        MalformedBodyError: from `feed`.
        BodyTooLargeError: from `feed`, as soon as the size of a chunk shows it.
    """

    __slots__ = ("_left", "_limit", "_part", "_pending", "_total", "_trailers", "done")

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._part = _Part.SIZE
        self._pending = b""
        self._left = 0
        self._total = 0
        self._trailers = 0
        self.done = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the bytes of the body in `data`, and what follows the body."""
        if self._pending:
            data, self._pending = self._pending + data, b""
        pieces = []
        at = 0
        while not self.done and at < len(data):
            if self._part is _Part.DATA:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._part = _Part.DATA_END
                continue
            end = data.find(b"\n", at) + 1
            if not end:
                self._wait(data[at:])
                at = len(data)
                break
            self._line(data[at:end])
            at = end
        return b"".join(pieces), data[at:]

    def _wait(self, start: bytes) -> None:
        if len(start) > _LINE_LIMIT or (self._part is _Part.DATA_END and start != b"\r"):
            raise MalformedBodyError("a line of the chunked framing has no end")
        self._pending = start

    def _line(self, line: bytes) -> None:
        match self._part:
            case _Part.SIZE:
                self._size(line)
            case _Part.DATA_END:
                if line != b"\r\n":
                    raise MalformedBodyError("a chunk is longer than its size")
                self._part = _Part.SIZE
            case _:
                self._trailer(line)

    def _size(self, line: bytes) -> None:
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None or len(line) > _LINE_LIMIT:
            raise MalformedBodyError("a chunk has no valid size")
        self._left = int(size[1], 16)
        self._total += self._left
        if self._limit is not None and self._total > self._limit:
            raise BodyTooLargeError
        self._part = _Part.DATA if self._left else _Part.TRAILERS

    def _trailer(self, line: bytes) -> None:
        if line == b"\r\n":
            self.done = True
            return
        self._trailers += len(line)
        if self._trailers > _TRAILERS_LIMIT or parse_fields(line) is None:
            raise MalformedBodyError("a trailer is malformed, or there are too many")


def chunk(data: bytes) -> bytes:
    """Return `data`, which must not be empty, as one chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
