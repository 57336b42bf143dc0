"""The heads of HTTP/1.1 messages (RFC 9112): encodes those of requests, parses those of responses. No IO."""

import re
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from code_core.frozen import frozen
from code_core.wire.errors import InvalidUrlError, MalformedResponseError
from code_responses_api_proxy.fields import FIELDS_LIMIT, HEAD_LIMIT, members, parse_fields, trimmed
from code_responses_api_proxy.framing import Body, ChunkedBody, EndlessBody, LengthBody

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+")
_UNRESERVED = "/%:@!$&'()*+,;=~-._"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@frozen
class Target:
    """The parts of a URL.

    Attributes:
        authority: the host, and the port unless it is the scheme's default.
        path: with the query, as it appears in a request line.
    """

    scheme: str
    host: str
    port: int
    authority: str
    path: str

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme == "https"


@frozen
class ResponseHead:
    """The head of a response.

    Attributes:
        headers: by lower-case name; the values of a repeated header are joined with commas.
        body: finds the end of the body that follows.
        keeps_connection: whether another request may follow on the connection.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: Body
    keeps_connection: bool


def target_of(url: str) -> Target:
    """Return the parts of an http or https URL.

    Raises:
        InvalidUrlError: it is not such a URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidUrlError(str(error)) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidUrlError("it does not begin with http:// or https://")
    host = parts.hostname or ""
    if _HOST.fullmatch(host) is None:
        raise InvalidUrlError("its host is not an ASCII name or an address (write it in the form xn--…)")
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == _DEFAULT_PORTS[parts.scheme]:
        port = _DEFAULT_PORTS[parts.scheme]
    else:
        shown += f":{port}"
    path = quote(parts.path or "/", safe=_UNRESERVED)
    query = f"?{quote(parts.query, safe=_UNRESERVED + '?')}" if parts.query else ""
    return Target(parts.scheme, host, port, shown, path + query)


def request_head(method: str, address: str, headers: Mapping[bytes, bytes]) -> bytes:
    """Return the head of a request for `address`: a path, a whole URL, or a host and port.

    Raises:
        ValueError: a header contains a character that it must not contain, such as a line break.
    """
    lines = [f"{method} {address} HTTP/1.1".encode("ascii")]
    for name, value in headers.items():
        line = b"%b: %b" % (name, value)
        if _FIELD.fullmatch(line) is None:
            raise ValueError(
                f"the header {name.decode('latin-1')!r} contains a character that is not allowed"
            )
        lines.append(line)
    return b"\r\n".join([*lines, b"", b""])


def parse_response_head(data: bytes) -> tuple[ResponseHead | None, bytes]:
    """Return the final head at the start of `data`, or None if it is incomplete, and the bytes that follow.

    Interim responses (1xx) before it are skipped.

    Raises:
        MalformedResponseError: this is not an HTTP/1.1 response.
    """
    start = 0
    while True:
        if not b"HTTP/1.".startswith(data[start : start + 7]):
            raise MalformedResponseError("the server's answer is not HTTP/1.1")
        end = data.find(b"\r\n\r\n", start) + 4
        is_complete = end != 3
        if (end if is_complete else len(data)) - start > HEAD_LIMIT:
            raise MalformedResponseError(f"the head of the server's answer is longer than {HEAD_LIMIT} bytes")
        if not is_complete:
            if _BARE_LINE_FEED.search(data, start):
                raise MalformedResponseError("the head of the server's answer is malformed")
            return None, data[start:]
        head = _parsed(data[start:end])
        start = end
        if head.status >= 200:
            return head, data[start:]


def _parsed(head: bytes) -> ResponseHead:
    line, _, block = head[:-2].partition(b"\r\n")
    status_line, fields = _STATUS_LINE.fullmatch(line), parse_fields(block)
    if status_line is None or fields is None or status_line[2] == b"101":
        raise MalformedResponseError("the head of the server's answer is malformed")
    if len(fields) > FIELDS_LIMIT:
        raise MalformedResponseError(f"the server's answer has more than {FIELDS_LIMIT} headers")
    values: dict[bytes, list[bytes]] = {}
    for _, name, value in fields:
        values.setdefault(name.lower(), []).append(trimmed(value))
    status = int(status_line[2])
    body = _body(status, values)
    is_closing = b"close" in members(values.get(b"connection", [])) or status_line[1] == b"0"
    is_ambiguous = isinstance(body, EndlessBody) or (
        b"content-length" in values and isinstance(body, ChunkedBody)
    )
    return ResponseHead(
        status=status,
        reason=(status_line[3] or b"").decode("latin-1"),
        headers={name.decode("ascii"): b", ".join(all_).decode("latin-1") for name, all_ in values.items()},
        body=body,
        keeps_connection=not (is_closing or is_ambiguous),
    )


def _body(status: int, values: Mapping[bytes, list[bytes]]) -> Body:
    """Return the object that finds the end of the body (RFC 9112 §6.3)."""
    if status < 200 or status in {204, 304}:
        return LengthBody(0)
    if b"transfer-encoding" in values:
        if members(values[b"transfer-encoding"]) != [b"chunked"]:
            raise MalformedResponseError("the server's answer has a transfer encoding other than chunked")
        return ChunkedBody()
    if b"content-length" not in values:
        return EndlessBody()
    lengths = {trimmed(length) for value in values[b"content-length"] for length in value.split(b",")}
    length = lengths.pop()
    if lengths or len(length) > 18 or not length.isdigit():
        raise MalformedResponseError("the Content-Length of the server's answer is not one number")
    return LengthBody(int(length))
