"""Decides from a request's head whether it may pass. No IO.

Only one request is forwarded: `POST /v1/responses` from a program on this machine. Anything that is not
exactly HTTP/1.1 is refused before further processing, because two parsers must never disagree about where
a request ends. A refusal closes the connection.
"""

import re
from typing import NamedTuple

from code_responses_api_proxy.errors import RefusedError
from code_responses_api_proxy.fields import (
    FIELDS_LIMIT,
    HEAD_LIMIT,
    HOP_BY_HOP,
    members,
    parse_fields,
    trimmed,
)

_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP/([0-9]\.[0-9])")
_LOOPBACK = re.compile(
    rb"(?:localhost|(?:[a-z0-9-]+\.)+localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE
)
# A bare line feed or carriage return, except one at the very end that may still be completed.
_BARE = re.compile(rb"(?<!\r)\n|\r(?=[^\n])")

_JUDGED = frozenset(
    {
        b"accept-encoding",
        b"authorization",
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"origin",
        b"sec-fetch-site",
        b"transfer-encoding",
    }
)
_DROPPED = HOP_BY_HOP | _JUDGED


class Policy(NamedTuple):
    """What this proxy permits, in addition to the fixed rules."""

    max_body: int
    """Limit for a request's body in bytes."""
    token: bytes | None = None
    """The bearer token required from clients."""
    shutdown: bool = False
    """Whether `GET /shutdown` ends the proxy."""


class Forward(NamedTuple):
    """Send the request upstream."""

    fields: bytes
    """The header lines to forward, without those for the connection, the framing and the credentials."""
    length: int | None
    """Length of the body in bytes; None if chunked."""
    keep_alive: bool
    old: bool
    """Whether the client uses HTTP/1.0, which has neither chunks nor `100 Continue`."""
    expects_continue: bool


class Shutdown(NamedTuple):
    """Shut down the proxy."""


def head_end(data: bytes, searched: int = 0) -> int:
    """Return the length of the head at the start of `data`, including the blank line, or 0 if it is incomplete.

    The first `searched` bytes have been examined before.

    Raises:
        RefusedError: it is too long, or can no longer become a valid head.
    """
    start = max(0, searched - 3)
    end = data.find(b"\r\n\r\n", start) + 4
    if end > HEAD_LIMIT or (end == 3 and len(data) >= HEAD_LIMIT):
        raise RefusedError(431, f"the request's head is longer than {HEAD_LIMIT} bytes")
    if end == 3:
        # Without this, a head with other line endings would wait for the time limit.
        if _BARE.search(data, max(0, searched - 1)):
            raise RefusedError(400, "a line of the request's head does not end with CR LF")
        return 0
    return end


def judge(head: bytes, policy: Policy) -> Forward | Shutdown:
    """Decide about a request by its head, including the blank line.

    Raises:
        RefusedError: with the status for the client.
    """
    line, _, block = head[:-2].partition(b"\r\n")
    method, target, old = _request_line(line)
    fields = parse_fields(block)
    if fields is None:
        raise RefusedError(400, "the request's head has a malformed header field")
    if len(fields) > FIELDS_LIMIT:
        raise RefusedError(431, f"the request has more than {FIELDS_LIMIT} header fields")
    judged: dict[bytes, list[bytes]] = {}
    kept = []
    for whole, name, value in fields:
        key = name.lower()
        if key in _JUDGED:
            judged.setdefault(key, []).append(trimmed(value))
        elif key not in _DROPPED:
            kept.append((key, whole))
    length = _length(judged, old=old)
    _check_client(judged, policy, old=old)
    connection = frozenset(members(judged.get(b"connection", [])))
    match method, target:
        case b"POST", b"/v1/responses":
            if length is not None and length > policy.max_body:
                raise RefusedError(413, f"the request's body is larger than {policy.max_body} bytes")
            return Forward(
                fields=b"".join([whole for key, whole in kept if key not in connection]),
                length=length,
                keep_alive=not old and b"close" not in connection,
                old=old,
                expects_continue=_expects_continue(judged, old=old),
            )
        case b"GET", b"/shutdown" if policy.shutdown:
            return Shutdown()
        case _:
            raise RefusedError(403, "only POST /v1/responses is served")


def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    parsed = _REQUEST_LINE.fullmatch(line)
    if parsed is None:
        raise RefusedError(400, "the request's first line is not that of an HTTP/1.1 request")
    method, target, version = parsed.groups()
    if version not in {b"1.1", b"1.0"}:
        raise RefusedError(505, "only HTTP/1.1 and HTTP/1.0 are served")
    return method, target, version == b"1.0"


def _length(judged: dict[bytes, list[bytes]], *, old: bool) -> int | None:
    lengths = judged.get(b"content-length", [])
    codings = judged.get(b"transfer-encoding", [])
    if codings:
        if lengths or old:
            raise RefusedError(400, "Transfer-Encoding cannot be combined with Content-Length or HTTP/1.0")
        if [coding.lower() for coding in codings] != [b"chunked"]:
            raise RefusedError(501, "the only transfer coding served is chunked")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or len(lengths[0]) > 18 or not lengths[0].isdigit():
        raise RefusedError(400, "Content-Length is not one decimal number")
    return int(lengths[0])


def _check_client(judged: dict[bytes, list[bytes]], policy: Policy, *, old: bool) -> None:
    hosts = judged.get(b"host", [])
    if len(hosts) > 1 or (not hosts and not old):
        raise RefusedError(400, "a request must have exactly one Host")
    if hosts and _LOOPBACK.fullmatch(hosts[0]) is None:
        raise RefusedError(403, "Host is not this machine's loopback: a web page may have been tricked")
    if b"origin" in judged or b"sec-fetch-site" in judged:
        raise RefusedError(403, "a web page may not use this proxy")
    if policy.token is not None and not _shows_token(judged.get(b"authorization", []), policy.token):
        raise RefusedError(403, "the token is missing or wrong")


def _shows_token(values: list[bytes], token: bytes) -> bool:
    from hmac import compare_digest

    return len(values) == 1 and compare_digest(values[0], b"Bearer " + token)


def _expects_continue(judged: dict[bytes, list[bytes]], *, old: bool) -> bool:
    expectations = members(judged.get(b"expect", []))
    if expectations not in ([], [b"100-continue"]):
        raise RefusedError(417, "the only expectation served is 100-continue")
    return bool(expectations) and not old
