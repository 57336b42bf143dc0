"""Hides the key in what an upstream sends back: an error that quotes it, a gateway that echoes its request.

Looked for are the key itself, how encoders of JSON and URLs spell it, and its Base64 at each of the three
alignments. All are kept in locked memory and compared there. An asterisk takes the place of each byte, so
that lengths stay what they were. An upstream that means to give the key away can encode it otherwise.
"""

import re
from collections.abc import Iterable, Iterator

from code_process_hardening import SecretBuffer

SHORTEST_KEY = 8
"""A shorter key is not a secret (local servers accept any), and would match by accident."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
# How encoders spell the bytes of a key that are neither letters nor digits.
_SPELLINGS: tuple[dict[int, bytes], ...] = (
    {ord("/"): rb"\/"},
    *({ord("+"): plus} for plus in (rb"\u002B", rb"\u002b")),
    *({ord("="): equals} for equals in (rb"\u003D", rb"\u003d")),
    {ord("/"): b"%2F", ord("+"): b"%2B", ord("="): b"%3D"},
    {ord("/"): b"%2f", ord("+"): b"%2b", ord("="): b"%3d"},
)
# What a form can be cut off after: what ends with another byte needs no look at its end.
_INSIDE = re.compile(rb"[A-Za-z0-9\-._~+/=%\\]\Z")


class Redactor:
    """Knows the forms of one key.

    Args:
        key: where it lies; kept, not copied.
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
        """`data` without the forms that are whole in it."""
        hidden: bytearray | None = None
        for form in self.forms:
            at = data.find(form)
            while at >= 0:
                hidden = bytearray(data) if hidden is None else hidden
                hidden[at : at + len(form)] = b"*" * len(form)
                at = data.find(form, at + len(form))
        return data if hidden is None else bytes(hidden)

    def begun(self, data: bytes) -> int:
        """How many bytes at the end of `data` may be the beginning of a form."""
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
                self._buffer.append(bytes((byte,)))  # a byte at a time: no longer piece becomes an object
        end = 0
        with self._buffer.view() as view:
            for size in sizes:
                end += size
                yield view[end - size : end]


class Redaction:
    """The body of one response, as it passes: only what may be the beginning of the key waits for what follows."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What can be passed on."""
        if self._held:
            data, self._held = self._held + data, b""
        data = self._redactor(data)
        if held := self._redactor.begun(data):
            self._held = data[-held:]
            return data[:-held]
        return data

    def rest(self) -> bytes:
        """What is left at the end of the body."""
        held, self._held = self._held, b""
        return held


def _spelled(key: memoryview, spelling: dict[int, bytes]) -> Iterator[int]:
    for byte in key:
        yield from spelling.get(byte, (byte,))


def _base64(key: memoryview, before: int, alphabet: bytes) -> Iterator[int]:
    """The digits that the key alone decides when `before` other bytes precede it."""
    for digit in range(-(-8 * before // 6), 8 * (before + len(key)) // 6):
        index, shift = divmod(6 * digit - 8 * before, 8)
        pair = key[index] << 8 | (key[index + 1] if index + 1 < len(key) else 0)
        yield alphabet[pair >> (10 - shift) & 63]
