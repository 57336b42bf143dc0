"""Detects the encoding of a text file from its bytes.

A byte order mark decides; otherwise text is UTF-8 if valid. Anything else is treated as
single-byte Western text (Windows-1252, or Latin-1 if a byte is undefined there). This is a guess,
so only ASCII may be added on its basis.
"""

import codecs
from collections.abc import Iterator
from typing import Literal

from code_core.frozen import frozen
from code_core.lazy_pattern import lazy_pattern

PIECE = 2**18
"""Bytes processed in one step, so that other threads get their turn."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le", 4),  # starts like the UTF-16 mark
    (codecs.BOM_UTF32_BE, "utf-32-be", 4),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
)
_NOT_IN_WINDOWS_1252 = lazy_pattern(rb"[\x81\x8d\x8f\x90\x9d]")
_IN_LATIN_1_ONLY_CONTROLS = lazy_pattern(rb"[\x80-\x9f]")
_NOT_DECODED = lazy_pattern("[\udc80-\udcff]")
_NOT_ASCII = lazy_pattern("[^\x00-\x7f\udc80-\udcff]")


class NotTextError(ValueError):
    """The data is not text; the message says why."""


@frozen
class TextEncoding:
    """How text is converted to bytes.

    Attributes:
        codec: the name, as Python and people know it.
        mark: the byte order mark at the start of the file.
        unit: the number of bytes of the shortest character.
        errors: how bytes that the codec does not know are handled.
        guessed: whether the encoding is only likely.
    """

    codec: str
    mark: bytes = b""
    unit: int = 1
    errors: Literal["strict", "surrogateescape"] = "strict"
    guessed: bool = False

    def encode(self, text: str) -> bytes:
        """Return the bytes of `text`, without the mark.

        Raises:
            UnicodeEncodeError: the encoding lacks a character.
        """
        return text.encode(self.codec, self.errors)

    def decode(self, data: bytes) -> str:
        """Return the text of `data`, which consists of whole characters without a mark."""
        return data.decode(self.codec, self.errors)

    def pieces(self, data: bytes) -> Iterator[tuple[int, str]]:
        """Yield the text after the mark in pieces of whole lines, each with its byte offset."""
        end_of_line = "\n".encode(self.codec)
        start = len(self.mark)
        while start < len(data):
            stop = data.find(end_of_line, start + PIECE)
            while stop >= 0 and (stop - start) % self.unit:
                stop = data.find(end_of_line, stop + 1)
            stop = len(data) if stop < 0 else stop + self.unit
            yield start, self.decode(data[start:stop])
            start = stop


def encoding_of(data: bytes) -> TextEncoding:
    """Detect the encoding of a file.

    Raises:
        NotTextError: the file is binary, or contradicts its byte order mark.
    """
    for mark, codec, unit in _MARKS:
        if data.startswith(mark):
            encoding = TextEncoding(codec, mark, unit)
            try:
                for _ in encoding.pieces(data):
                    pass
            except UnicodeDecodeError:
                name = codec[:6].upper()
                raise NotTextError(
                    f"the file begins like {name} text (byte order mark), but is not valid {name}"
                ) from None
            return encoding
    if b"\0" in data:
        raise NotTextError("the file is binary (it contains NUL bytes)")
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    good, broken = _characters(data)
    if broken == 0:
        return TextEncoding("utf-8", mark)
    if mark or good > broken:  # some invalid characters, which are preserved
        return TextEncoding("utf-8", mark, errors="surrogateescape")
    return _one_byte_each(data)


def text_of(data: bytes) -> str:
    """Return the text of a file, for display.

    Raises:
        NotTextError: the file is binary, or contradicts its byte order mark.
    """
    encoding = encoding_of(data)
    return encoding.decode(data[len(encoding.mark) :])


def _characters(data: bytes) -> tuple[int, int]:
    """The number of non-ASCII characters in UTF-8, and the number of invalid bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    good = broken = 0
    for start in range(0, len(data), PIECE):
        text = decoder.decode(data[start : start + PIECE], start + PIECE >= len(data))
        if not text.isascii():
            broken += len(_NOT_DECODED.findall(text))
            good += len(_NOT_ASCII.findall(text))
    return good, broken


def _one_byte_each(data: bytes) -> TextEncoding:
    windows = _IN_LATIN_1_ONLY_CONTROLS.search(data) and not _NOT_IN_WINDOWS_1252.search(data)
    return TextEncoding("windows-1252" if windows else "iso-8859-1", guessed=True)
