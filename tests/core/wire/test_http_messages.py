"""What counts as a URL, as the head of a request and as the head of a response."""

import pytest

from code_core.wire.errors import InvalidUrlError, MalformedResponseError
from code_core.wire.http_head import ResponseHead, parse_response_head, request_head, target_of
from code_responses_api_proxy.fields import FIELDS_LIMIT, HEAD_LIMIT
from code_responses_api_proxy.framing import Body, ChunkedBody, EndlessBody, LengthBody

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://a", ("http", "a", 80, "a", "/")),
        ("https://a", ("https", "a", 443, "a", "/")),
        ("http://a:80/b", ("http", "a", 80, "a", "/b")),
        ("https://a:80/b", ("https", "a", 80, "a:80", "/b")),
        ("HTTPS://u:p@A.b-c_d:443/e?f=g&h#i", ("https", "a.b-c_d", 443, "a.b-c_d", "/e?f=g&h")),
        ("http://[::1]:8080/x", ("http", "::1", 8080, "[::1]:8080", "/x")),
        ("http://127.0.0.1/x", ("http", "127.0.0.1", 80, "127.0.0.1", "/x")),
        ("http://a/b c/é?d e?f", ("http", "a", 80, "a", "/b%20c/%C3%A9?d%20e?f")),
        ("http://a/%20/%:@!$&'()*+,;=~-._", ("http", "a", 80, "a", "/%20/%:@!$&'()*+,;=~-._")),
        ("http://a?b", ("http", "a", 80, "a", "/?b")),
    ],
)
def test_the_parts_of_a_url(url: str, parts: tuple[str, str, int, str, str]) -> None:
    target = target_of(url)
    assert (target.scheme, target.host, target.port, target.authority, target.path) == parts
    assert target.is_tls is (target.scheme == "https")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://a:x/", "Port"),
        ("http://[::1/", "IPv6"),
        ("ftp://a/", "begin with http"),
        ("a", "begin with http"),
        ("http:///x", "ASCII name"),
        ("http://é/", "ASCII name"),
        ("http://-a/", "ASCII name"),
    ],
)
def test_invalid_urls(url: str, words: str) -> None:
    with pytest.raises(InvalidUrlError, match=words):
        target_of(url)


def test_the_head_of_a_request() -> None:
    assert request_head("POST", "/a?b", {b"host": b"c", b"x-y": b"d\te"}) == (
        b"POST /a?b HTTP/1.1\r\nhost: c\r\nx-y: d\te\r\n\r\n"
    )
    assert request_head("GET", "/", {}) == b"GET / HTTP/1.1\r\n\r\n"


@pytest.mark.parametrize(
    "header", [(b"a", b"b\r\nc"), (b"a\n", b"b"), (b"", b"b"), (b"a b", b"c"), (b"a", b"\0")]
)
def test_invalid_headers(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="is not allowed"):
        request_head("GET", "/", dict([header]))


def _head(data: bytes) -> ResponseHead:
    head, rest = parse_response_head(data + b"rest")
    assert head is not None
    assert rest == b"rest"
    return head


def test_the_head_of_a_response() -> None:
    head = _head(b"HTTP/1.1 404 Not F\xe9\r\nX-A:  b \r\nx-a: c\r\nContent-Length: 3\r\n\r\n")
    assert (head.status, head.reason) == (404, "Not F\xe9")
    assert head.headers == {"x-a": "b, c", "content-length": "3"}
    assert _head(b"HTTP/1.1 200\r\n\r\n").reason == ""


@pytest.mark.parametrize("data", [b"", b"H", b"HTTP/1.1", OK, OK + b"\r", OK + b"a: b\r\n"])
def test_an_incomplete_head_is_awaited(data: bytes) -> None:
    assert parse_response_head(data) == (None, data)
    assert parse_response_head(b"HTTP/1.1 103 Early\r\na: b\r\n\r\n" + data) == (None, data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/2 200\r\n\r\n", "not HTTP/1.1"),
        (b"X", "not HTTP/1.1"),
        (OK + b"a: b\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"a: b\n", "malformed"),
        (b"HTTP/1.2 200\r\n\r\n", "malformed"),
        (b"HTTP/1.1 099\r\n\r\n", "malformed"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "malformed"),
        (OK + b"a\r\n\r\n", "malformed"),
        (OK + b"a: b\r\n" * (FIELDS_LIMIT + 1) + b"\r\n", "more than 100"),
        (OK + b"transfer-encoding: gzip, chunked\r\n\r\n", "transfer encoding"),
        (OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\n", "not one number"),
        (OK + b"content-length: 1, 2\r\n\r\n", "not one number"),
        (OK + b"content-length: x\r\n\r\n", "not one number"),
        (OK + b"content-length: " + b"1" * 19 + b"\r\n\r\n", "not one number"),
    ],
)
def test_invalid_heads(data: bytes, words: str) -> None:
    with pytest.raises(MalformedResponseError, match=words):
        parse_response_head(data)


def test_a_head_has_a_limit() -> None:
    longest = OK + b"a: " + b"b" * (HEAD_LIMIT - len(OK) - 7) + b"\r\n\r\n"
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    for before in (b"", interim):
        assert _head(before + longest).status == 200
        incomplete = (OK + b"a: ").ljust(HEAD_LIMIT, b"b")
        assert parse_response_head(before + incomplete) == (None, incomplete)
        for longer in (longest.replace(b"b", b"bb", 1), incomplete + b"b"):
            with pytest.raises(MalformedResponseError, match="longer than 65536 bytes"):
                parse_response_head(before + longer)
    assert len(_head(OK + b"a: b\r\n" * FIELDS_LIMIT + b"\r\n").headers["a"].split(", ")) == FIELDS_LIMIT


@pytest.mark.parametrize(
    ("status", "fields", "body", "keeps"),
    [
        (b"200", b"content-length: 7\r\n", LengthBody, True),
        (b"200", b"content-length: 7, 7\r\ncontent-length: 7\r\n", LengthBody, True),
        (b"200", b"content-length: " + b"0" * 17 + b"7\r\n", LengthBody, True),
        (b"200", b"transfer-encoding: Chunked\r\n", ChunkedBody, True),
        (b"200", b"transfer-encoding: chunked\r\ncontent-length: 7\r\n", ChunkedBody, False),
        (b"200", b"", EndlessBody, False),
        (b"200", b"content-length: 7\r\nconnection: x, Close\r\n", LengthBody, False),
        (b"200", b"content-length: 7\r\nconnection: x\r\n", LengthBody, True),
        (b"204", b"", LengthBody, True),
        (b"304", b"content-length: 7\r\n", LengthBody, True),
        (b"205", b"", EndlessBody, False),
        (b"305", b"", EndlessBody, False),
    ],
)
def test_the_body_of_a_response(status: bytes, fields: bytes, body: type[Body], keeps: bool) -> None:
    head = _head(b"HTTP/1.1 " + status + b"\r\n" + fields + b"\r\n")
    assert type(head.body) is body
    assert head.keeps_connection is keeps
    assert not _head(b"HTTP/1.0 " + status + b"\r\n" + fields + b"\r\n").keeps_connection
    if body is LengthBody:
        empty = status in {b"204", b"304"}
        assert head.body.feed(b"1234567890") == ((b"", b"1234567890") if empty else (b"1234567", b"890"))
