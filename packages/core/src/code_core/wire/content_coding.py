"""A compressed body, decompressed in pieces of bounded size (RFC 9110 §8.4.1). No IO."""

import zlib
from collections.abc import Iterator, Mapping

from code_core.wire.errors import MalformedResponseError

MOST_BYTES = 2**16
"""Of one piece: a small compressed body may stand for gigabytes."""
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class Inflater:
    """Decompresses one body."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP_OR_ZLIB)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` adds to the body.

        Raises:
            MalformedResponseError: `data` is not compressed as its server says.
        """
        while True:
            try:
                piece = self._inflater.decompress(data, MOST_BYTES)
            except zlib.error as error:
                raise MalformedResponseError(f"the compressed answer cannot be read: {error}") from error
            if piece:
                yield piece
            data = self._inflater.unconsumed_tail
            if not data and len(piece) < MOST_BYTES:
                return


def inflater_for(headers: Mapping[str, str]) -> Inflater | None:
    """What decompresses the body below `headers`; None where it is not compressed.

    Raises:
        MalformedResponseError: the server compressed it in a way that nobody asked for.
    """
    match headers.get("content-encoding", "identity").strip().lower():
        case "identity" | "":
            return None
        case "gzip" | "x-gzip" | "deflate":
            return Inflater()
        case other:
            raise MalformedResponseError(
                f"the server's answer is compressed ({other[:20]}), which it was asked not to do"
            )
