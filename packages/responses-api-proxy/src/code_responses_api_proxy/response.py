"""Converts bytes from the upstream to bytes for the client. No IO."""

import re
from collections.abc import Callable

from code_responses_api_proxy.errors import InvalidResponseError, LostError
from code_responses_api_proxy.fields import HEAD_LIMIT, HOP_BY_HOP, members, parse_fields, trimmed
from code_responses_api_proxy.framing import (
    LAST_CHUNK,
    Body,
    ChunkedBody,
    EndlessBody,
    LengthBody,
    MalformedBodyError,
    chunk,
)
from code_responses_api_proxy.redact import Redaction, Redactor

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])( [\t\x20-\x7e\x80-\xff]*)?")
_MOST_INTERIM = 16
_JUDGED = frozenset({b"connection", b"content-encoding", b"content-length", b"transfer-encoding"})

Observer = Callable[[bytes], None]


class ResponseRelay:
    """Rewrites one response as it arrives; holds back only an incomplete head, and a possible start of the key.

    `redactor` redacts the key. `observe_head` receives the upstream's head, with the key redacted, and
    `observe_body` each piece of the body.
    """

    def __init__(
        self,
        *,
        old_client: bool,
        keep_alive: bool,
        redactor: Redactor,
        observe_head: Observer | None = None,
        observe_body: Observer | None = None,
    ) -> None:
        self.keep_alive = keep_alive
        """Whether the client's connection stays open after the response."""
        self.started = False
        """Whether the client has received the head."""
        self.done = False
        self.reusable = True
        """Whether the upstream's connection stays open after the response."""
        self._old_client = old_client
        self._redactor = redactor
        self._redaction = Redaction(redactor)
        self._observe_head = observe_head
        self._observe_body = observe_body
        self._pending = b""
        self._interim = 0
        self._body: Body = EndlessBody()
        self._chunked = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes to send to the client for `data`.

        Raises:
            InvalidResponseError: it is not a valid response.
        """
        out = b""
        if not self.started:
            out, data = self._head(self._pending + data)
            if not self.started:
                self._pending = data
                return out
        return out + self._payload(data)

    def end(self, *, clean: bool = True) -> bytes:
        """Return the last bytes for the client when the upstream has closed the connection; `clean` means without an error.

        Raises:
            LostError: the response is incomplete.
        """
        self.reusable = False
        if not self.started:
            raise LostError("the upstream closed the connection without a response")
        if not clean or not isinstance(self._body, EndlessBody):
            raise LostError("the upstream closed the connection before the end of the response")
        self.done = True
        return self._framed(self._redaction.rest())

    def _head(self, data: bytes) -> tuple[bytes, bytes]:
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end > HEAD_LIMIT or (end == 3 and len(data) > HEAD_LIMIT):
                raise InvalidResponseError(
                    f"the head of the upstream's response is longer than {HEAD_LIMIT} bytes"
                )
            if end == 3:
                if not b"HTTP/1.".startswith(data[:7]):
                    raise InvalidResponseError("the upstream's response is not HTTP/1.1")
                return b"", data
            head = self._redactor(data[:end])
            line, _, block = head[:-2].partition(b"\r\n")
            parsed = _STATUS_LINE.fullmatch(line)
            fields = parse_fields(block)
            if parsed is None or fields is None or parsed[2] == b"101":
                raise InvalidResponseError("the head of the upstream's response is malformed")
            if parsed[2] < b"200":
                self._interim += 1
                if self._interim > _MOST_INTERIM:
                    raise InvalidResponseError("the upstream sends interim responses without end")
                data = data[end:]
                continue
            if self._observe_head:
                self._observe_head(head)
            return self._rewritten(parsed[2], parsed[3] or b" ", fields, old=parsed[1] == b"0"), data[end:]

    def _rewritten(
        self, status: bytes, reason: bytes, fields: list[tuple[bytes, bytes, bytes]], *, old: bool
    ) -> bytes:
        judged: dict[bytes, list[bytes]] = {}
        for _, name, value in fields:
            if (key := name.lower()) in _JUDGED:
                judged.setdefault(key, []).append(trimmed(value))
        if any(coding != b"identity" for coding in members(judged.get(b"content-encoding", []))):
            raise InvalidResponseError("the upstream compressed its response although it was asked not to")
        connection = members(judged.get(b"connection", []))
        self.reusable = not old and b"close" not in connection
        self._body = self._framing(status, judged)
        dropped = HOP_BY_HOP | {b"content-length"} | set(connection)
        lines = [b"HTTP/1.1 ", status, reason, b"\r\n"]
        lines += [whole for whole, name, _ in fields if name.lower() not in dropped]
        if isinstance(self._body, LengthBody):
            if judged.get(b"content-length"):
                lines.append(b"Content-Length: %b\r\n" % judged[b"content-length"][0])
        elif self._old_client:
            self.keep_alive = False
        else:
            self._chunked = True
            lines.append(b"Transfer-Encoding: chunked\r\n")
        lines.append(b"\r\n" if self.keep_alive else b"Connection: close\r\n\r\n")
        self.started = True
        return b"".join(lines)

    def _framing(self, status: bytes, judged: dict[bytes, list[bytes]]) -> Body:
        lengths = set(judged.get(b"content-length", []))
        if any(len(length) > 18 or not length.isdigit() for length in lengths) or len(lengths) > 1:
            raise InvalidResponseError("the upstream's Content-Length is not one number")
        codings = judged.get(b"transfer-encoding", [])
        if status in {b"204", b"304"}:
            if codings:
                raise InvalidResponseError("the upstream's response has a body where none is allowed")
            return LengthBody(0)
        if codings:
            if members(codings) != [b"chunked"] or lengths:
                raise InvalidResponseError("the upstream's response has no clear end")
            return ChunkedBody()
        if lengths:
            return LengthBody(int(lengths.pop()))
        self.reusable = False
        return EndlessBody()

    def _payload(self, data: bytes) -> bytes:
        try:
            payload, surplus = self._body.feed(data)
        except MalformedBodyError as error:
            raise InvalidResponseError(f"the upstream's response is malformed: {error}") from error
        if surplus:
            self.reusable = False
        self.done = self._body.done
        payload = self._redaction.feed(payload)
        return self._framed(payload + self._redaction.rest() if self.done else payload)

    def _framed(self, payload: bytes) -> bytes:
        if payload and self._observe_body:
            self._observe_body(payload)
        if not self._chunked:
            return payload
        out = chunk(payload) if payload else b""
        return out + LAST_CHUNK if self.done else out
