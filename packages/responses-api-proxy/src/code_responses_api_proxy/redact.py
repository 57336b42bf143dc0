"""Redacts the key in upstream responses, such as errors that quote it or gateways that echo the request.

It looks for the key itself, its encodings in JSON and URLs, and its Base64 at each of the three alignments.
All of them are kept in locked memory and compared there. Each byte is replaced by an asterisk, so that
lengths do not change. An upstream that intends to leak the key can encode it differently.
"""

import re
from collections.abc import Iterable, Iterator

from code_process_hardening import SecretBuffer

SHORTEST_KEY = 8
"""A shorter key is not secret (local servers accept any) and would match by accident."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# How encoders represent bytes of a key other than letters and digits.
_SPELLINGS: tuple[dict[int, bytes], ...] = (
    {ord("/"): rb"\/"},
    *({ord("+"): plus} for plus in (rb"\u002B", rb"\u002b")),
    *({ord("="): equals} for equals in (rb"\u003D", rb"\u003d")),
    {ord("/"): b"%2F", ord("+"): b"%2B", ord("="): b"%3D"},
    {ord("/"): b"%2f", ord("+"): b"%2b", ord("="): b"%3d"},
)
# The bytes at which a truncated form can end; data that ends with another byte needs no check.
_INSIDE = re.compile(rb"[A-Za-z0-9\-._~+/=%\\]\Z")


class Redactor:
    """Finds the forms of one key.

    Args:
        key: the key in memory; referenced, not copied.
        secret_memory: see `SecretBuffer`.

    Raises:
        SecretMemoryError: no memory could be locked for the forms.
    """

    def __init__(self, key: memoryview, *, secret_memory: bool = True) -> None:
        self._buffer: SecretBuffer | None = None
        self.forms: tuple[memoryview, ...] = ()
        if len(key) >= SHORTEST_KEY:
            self.forms = (key, *self._other_forms(key, secret_memory=secret_memory))
        self.longest = max(map(len, self.forms), default=0)

    def close(self) -> None:
        """Zero the forms."""
        for form in self.forms:
            form.release()
        self.forms = ()
        if self._buffer is not None:
            self._buffer.wipe()

    def __call__(self, data: bytes) -> bytes:
        """Return `data` with all complete forms redacted."""
        hidden: bytearray | None = None
        for form in self.forms:
            at = data.find(form)
            while at >= 0:
                hidden = bytearray(data) if hidden is None else hidden
                hidden[at : at + len(form)] = b"*" * len(form)
                at = data.find(form, at + len(form))
        return data if hidden is None else bytes(hidden)

    def begun(self, data: bytes) -> int:
        """Return the number of bytes at the end of `data` that may begin a form."""
        if _INSIDE.search(data, max(0, len(data) - 1)) is None:
            return 0
        longest = 0
        for form in self.forms:
            at = max(0, len(data) - len(form) + 1)
            with form[:1] as first:
                while (at := data.find(first, at)) >= 0:
                    with form[: len(data) - at] as start:
                        if data.endswith(start):
                            longest = max(longest, len(data) - at)
                            break
                    at += 1
        return longest

    def _other_forms(self, key: memoryview, *, secret_memory: bool) -> Iterator[memoryview]:
        def forms() -> Iterator[Iterable[int]]:
            for spelling in _SPELLINGS:
                if any(byte in spelling for byte in key):
                    yield _spelled(key, spelling)
            for before in range(3):
                yield _base64(key, before, _BASE64 + b"+/")
                if any(digit in b"+/" for digit in _base64(key, before, _BASE64 + b"+/")):
                    yield _base64(key, before, _BASE64 + b"-_")

        sizes = [sum(1 for _ in form) for form in forms()]
        self._buffer = SecretBuffer(sum(sizes), secret_memory=secret_memory)
        for form in forms():
            for byte in form:
                self._buffer.append(bytes((byte,)))  # byte by byte, so that no longer piece becomes an object
        end = 0
        with self._buffer.view() as view:
            for size in sizes:
                end += size
                yield view[end - size : end]


class Redaction:
    """The body of one response as it passes; a possible beginning of the key is held until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Return what can be passed on."""
        if self._held:
            data, self._held = self._held + data, b""
        data = self._redactor(data)
        if held := self._redactor.begun(data):
            self._held = data[-held:]
            return data[:-held]
        return data

    def rest(self) -> bytes:
        """Return what is left at the end of the body."""
        held, self._held = self._held, b""
        return held


def _spelled(key: memoryview, spelling: dict[int, bytes]) -> Iterator[int]:
    for byte in key:
        yield from spelling.get(byte, (byte,))


def _base64(key: memoryview, before: int, alphabet: bytes) -> Iterator[int]:
    """The Base64 digits determined by the key alone when `before` other bytes precede it."""
    for digit in range(-(-8 * before // 6), 8 * (before + len(key)) // 6):
        index, shift = divmod(6 * digit - 8 * before, 8)
        pair = key[index] << 8 | (key[index + 1] if index + 1 < len(key) else 0)
        yield alphabet[pair >> (10 - shift) & 63]
