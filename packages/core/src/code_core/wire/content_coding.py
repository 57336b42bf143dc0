"""A compressed body, decompressed in pieces of bounded size (RFC 9110 §8.4.1). No IO."""

import zlib
from collections.abc import Iterator, Mapping

from code_core.wire.errors import MalformedResponseError

MOST_BYTES = 2**16
"""Limit for one piece: a small compressed body may stand for gigabytes."""
_PLAIN, _SUPPORTED = frozenset({"identity", ""}), frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Inflater:
    """Decompresses one body, in zlib format or in gzip format with one or more members."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._is_complete = True

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of `data`.

        Raises:
            MalformedResponseError: `data` is not in the format that the server named.
        """
        is_full = False
        while data or is_full:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP_OR_ZLIB)
            try:
                piece = self._member.decompress(data, MOST_BYTES)
            except zlib.error as error:
                raise MalformedResponseError(f"the compressed answer cannot be read: {error}") from error
            if piece:
                yield piece
            self._is_complete = self._member.eof
            is_full = len(piece) == MOST_BYTES and not self._is_complete
            data = self._member.unused_data if self._is_complete else self._member.unconsumed_tail

    def check_end(self) -> None:
        """Raise MalformedResponseError if the body ends here but its compressed data does not."""
        if not self._is_complete:
            raise MalformedResponseError("the compressed answer ends too early")


def inflater_for(headers: Mapping[str, str]) -> Inflater | None:
    """Return the decompressor for the body that follows `headers`, or None if it is not compressed.

    Raises:
        MalformedResponseError: the server used a format that is not supported; see `coding_problem`.
    """
    if (problem := coding_problem(headers)) is not None:
        raise MalformedResponseError(problem)
    return None if _coding(headers) in _PLAIN else Inflater()


def coding_problem(headers: Mapping[str, str]) -> str | None:
    """Return why the body that follows `headers` cannot be decompressed, or None if it can be."""
    coding = _coding(headers)
    if coding in _PLAIN or coding in _SUPPORTED:
        return None
    return f"the server compressed its answer ({coding[:20]!r}), although it was asked not to"


def _coding(headers: Mapping[str, str]) -> str:
    return headers.get("content-encoding", "identity").strip().lower()
