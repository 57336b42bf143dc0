"""Keeps the latest output of a command that has not been read yet."""


class RecentBytes:
    """Keeps the last `limit` bytes since they were last taken, using less than twice that memory."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._dropped = 0

    def write(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self._kept += chunk
        if len(self._kept) > 2 * self._limit:  # trimmed rarely, so that each byte moves O(1) times
            self._trim()

    def take(self, *, whole: bool) -> tuple[bytes, int]:
        """Return the bytes since the last call, and the number of older bytes lost.

        Unless they are the `whole` rest, an incomplete UTF-8 character at the end is kept for the next call.
        """
        self._trim()
        end = len(self._kept) if whole else len(self._kept) - _unfinished(self._kept)
        taken, dropped = bytes(self._kept[:end]), self._dropped
        del self._kept[:end]
        self._dropped = 0
        return taken, dropped

    def _trim(self) -> None:
        excess = max(0, len(self._kept) - self._limit)
        del self._kept[:excess]
        self._dropped += excess


def _unfinished(data: bytearray) -> int:
    """Number of bytes at the end that form an incomplete UTF-8 character."""
    for count in range(1, min(3, len(data)) + 1):
        byte = data[-count]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return count if count < length else 0
        if byte < 0x80:
            return 0
    return 0
