"""Parses server-sent events, however the bytes are split.

Source: WHATWG HTML, "Server-sent events", section "Interpreting an event stream".
"""

from code_core.frozen import frozen
from code_core.wire.errors import SseOverflowError

MAX_EVENT_BYTES = 32 * 2**20
_BOM = b"\xef\xbb\xbf"
_COST_OF_A_PART = 64  # overhead of a `bytes` object in a list, in bytes


@frozen
class SseEvent:
    """One event; `data` is its data lines joined by newlines, as UTF-8 bytes."""

    event: str
    data: bytes


class SseParser:
    """Parses one stream in time linear in its length.

    An unfinished line is kept as the pieces it arrived in, so that no byte is searched or copied
    twice, however long the line gets. `id` and `retry` fields, which are for clients that reconnect
    by themselves, are ignored.

    Args:
        max_event_bytes: the memory that an event may use while it arrives: its bytes and a small
            overhead for each line and chunk. Joining them needs as much again.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._limit = max_event_bytes
        self._pieces: list[bytes] = []
        self._data: list[bytes] = []
        self._held = 0  # memory used by the pieces and the data lines
        self._event = ""
        self._at_start = True
        self._skip_newline = False
        self.content = 0
        """Grows with everything but comments and blank lines, which only keep a connection open."""

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that `chunk` completes, in order.

        Raises:
            SseOverflowError: an event is larger than the limit.
        """
        if self._skip_newline and chunk:
            self._skip_newline = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_newline = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[SseEvent] = []
        first, *rest = chunk.split(b"\n")
        self._begin(first)
        if rest:
            self._line(self._finished_line(), events)
            for line in rest[:-1]:
                self._line(line, events)
            self._begin(rest[-1])
        return events

    def end(self) -> list[SseEvent]:
        """Return the event left unfinished by a stream without a final blank line.

        The specification drops it, but servers that omit the blank line mean it. Call this only if the
        server ended the response properly.
        """
        events: list[SseEvent] = []
        self._line(self._finished_line(), events)
        self._line(b"", events)
        return events

    def _begin(self, piece: bytes) -> None:
        """Keep a piece of an unfinished line."""
        if piece:
            self._hold(self._pieces, piece)
            if not self._pieces[0].startswith(b":"):
                self.content += len(piece)

    def _finished_line(self) -> bytes:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._held -= len(line) + _COST_OF_A_PART * len(self._pieces)
        self._pieces = []
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BOM)
        return line

    def _line(self, line: bytes, events: list[SseEvent]) -> None:
        if line:
            if not line.startswith(b":"):
                self.content += len(line)
            field, _, line = line.partition(b":")  # frees the whole line before the next copy
            value = line.removeprefix(b" ")
            if field == b"data":
                self._hold(self._data, value)
            elif field == b"event":
                self._event = value.decode("utf-8", "replace")
        else:
            if self._data:
                data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                events.append(SseEvent(self._event or "message", data))
            self._data = []
            self._held = 0
            self._event = ""

    def _hold(self, parts: list[bytes], part: bytes) -> None:
        parts.append(part)
        self._held += len(part) + _COST_OF_A_PART
        if self._held > self._limit:
            raise SseOverflowError(f"a server-sent event is larger than {self._limit:,} bytes")
