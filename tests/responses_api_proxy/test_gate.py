import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_responses_api_proxy.errors import RefusedError
from code_responses_api_proxy.fields import FIELDS_LIMIT, HEAD_LIMIT
from code_responses_api_proxy.gate import Forward, Policy, Shutdown, head_end, judge

POLICY = Policy(max_body=1000)
HOST = b"Host: 127.0.0.1:8080\r\n"


def post(fields: bytes = b"", *, line: bytes = b"POST /v1/responses HTTP/1.1", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def forwarded(head: bytes, policy: Policy = POLICY) -> Forward:
    decision = judge(head, policy)
    assert isinstance(decision, Forward)
    return decision


def status(head: bytes, policy: Policy = POLICY) -> int:
    with pytest.raises(RefusedError) as refused:
        judge(head, policy)
    return refused.value.status


def test_a_plain_request_is_forwarded_with_its_fields_in_order() -> None:
    fields = b"Accept: text/event-stream\r\nX-b: 1\r\nX-A:2 \r\nX-b: 3\r\n"
    decision = forwarded(post(fields + b"Content-Length: 7\r\n"))
    assert decision == Forward(fields, 7, expects_continue=False, keep_alive=True, old=False)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/responses HTTP/1.1",
        b"post /v1/responses HTTP/1.1",
        b"POST /v1/responses/ HTTP/1.1",
        b"POST /v1/responses? HTTP/1.1",
        b"POST /v1/responses?a=b HTTP/1.1",
        b"POST /v1/%72esponses HTTP/1.1",
        b"POST //v1/responses HTTP/1.1",
        b"POST /v1/chat/completions HTTP/1.1",
        b"POST http://127.0.0.1/v1/responses HTTP/1.1",
        b"CONNECT api.openai.com:443 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /shutdown HTTP/1.1",
        b"GET / HTTP/1.1",
    ],
)
def test_anything_but_the_one_request_is_403(line: bytes) -> None:
    assert status(post(line=line)) == 403


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"POST /v1/responses HTTP/1.1", 0),
        (b"POST /v1/responses HTTP/1.9", 505),
        (b"POST /v1/responses HTTP/2.0", 505),
        (b"POST /v1/responses HTTP/0.9", 505),
        (b"POST /v1/responses HTTP/1.10", 400),
        (b"POST /v1/responses http/1.1", 400),
        (b"POST /v1/responses", 400),
        (b"POST  /v1/responses HTTP/1.1", 400),
        (b"POST\t/v1/responses HTTP/1.1", 400),
        (b"POST /v1/responses HTTP/1.1 ", 400),
        (b"PO(ST /v1/responses HTTP/1.1", 400),
        (b"POST /v1/resp\xc3\xb6nses HTTP/1.1", 400),
        (b"POST /v1/\x00 HTTP/1.1", 400),
        (b"", 400),
    ],
)
def test_a_request_line_is_read_strictly(line: bytes, expected: int) -> None:
    if expected:
        assert status(post(line=line)) == expected
    else:
        assert forwarded(post(line=line)).length == 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (b"Content-Length: 1\r\nContent-Length: 1\r\n", 400),
        (b"Content-Length: 1\r\nContent-Length: 2\r\n", 400),
        (b"Content-Length: 1, 1\r\n", 400),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: +1\r\n", 400),
        (b"Content-Length: 0x1\r\n", 400),
        (b"Content-Length: 1_0\r\n", 400),
        (b"Content-Length: abc\r\n", 400),
        (b"Content-Length: \r\n", 400),
        (b"Content-Length: 9999999999999999999999\r\n", 400),
        (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 501),
        (b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"Transfer-Encoding: xchunked\r\n", 501),
        (b"Transfer-Encoding: identity\r\n", 501),
        (b"Transfer-Encoding: chunked, identity\r\n", 501),
        (b"Transfer-Encoding:\r\n", 501),
        (b"Transfer-Encoding : chunked\r\n", 400),
        (b"X: a\r\n b\r\n", 400),
        (b" X: a\r\n", 400),
        (b"X : a\r\n", 400),
        (b": a\r\n", 400),
        (b"X\r\n", 400),
        (b"X: a\x00b\r\n", 400),
        (b"X: a\rb\r\n", 400),
        (b"X: a\nY: b\r\n", 400),
        (b"X\xff: a\r\n", 400),
        (b"Expect: 200-ok\r\n", 417),
        (b"Content-Length: 1001\r\n", 413),
        (HOST, 400),
        (b"Origin: http://127.0.0.1:8080\r\n", 403),
        (b"Origin: null\r\n", 403),
        (b"origin:\r\n", 403),
        (b"".join(b"X-%d: 1\r\n" % n for n in range(FIELDS_LIMIT)), 431),
    ],
)
def test_ambiguous_or_oversized_requests_are_rejected(fields: bytes, expected: int) -> None:
    assert status(post(fields)) == expected


def test_a_request_without_a_host_is_rejected_unless_it_is_http_1_0() -> None:
    assert status(post(host=b"")) == 400
    old = forwarded(post(host=b"", line=b"POST /v1/responses HTTP/1.0"))
    assert (old.old, old.keep_alive) == (True, False)


def test_an_http_1_0_request_cannot_be_chunked() -> None:
    assert status(post(b"Transfer-Encoding: chunked\r\n", line=b"POST /v1/responses HTTP/1.0")) == 400


@pytest.mark.parametrize(
    ("host", "mine"),
    [
        (b"localhost", True),
        (b"LOCALHOST:1", True),
        (b"127.0.0.1:8080", True),
        (b"127.255.0.9", True),
        (b"[::1]:80", True),
        (b"[::1]", True),
        (b"example.com", False),
        (b"localhost.example.com", False),
        (b"127.0.0.1.example.com", False),
        (b"10.0.0.1", False),
        (b"0.0.0.0", False),
        (b"2130706433", False),
        (b"[::]", False),
        (b"::1", False),
        (b"127.0.0.1:80:80", False),
        (b"user@127.0.0.1", False),
        (b"127.0.0.1/", False),
        (b"127.0.0.1,example.com", False),
        (b"", False),
    ],
)
def test_only_loopback_hosts_are_served(host: bytes, mine: bool) -> None:
    head = post(host=b"Host: " + host + b"\r\n")
    if mine:
        assert forwarded(head)
    else:
        assert status(head) == 403


def test_hop_by_hop_headers_and_those_set_by_the_proxy_are_dropped() -> None:
    fields = (
        b"Connection: X-Mine, keep-alive\r\nX-mine: 1\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic a\r\n"
        b"TE: trailers\r\nUpgrade: h2c\r\nProxy-Connection: close\r\nTrailer: X-T\r\nProxy-Authenticate: b\r\n"
        b"Authorization: Bearer theirs\r\nauthorization: Bearer other\r\nTransfer-Encoding: Chunked\r\n"
        b"Expect: 100-Continue\r\nX-Kept: yes\r\n"
    )
    decision = forwarded(post(fields))
    assert decision == Forward(b"X-Kept: yes\r\n", None, expects_continue=True, keep_alive=True, old=False)


def test_a_clients_connection_close_is_respected() -> None:
    assert not forwarded(post(b"Connection: X-A,Close\r\n")).keep_alive


def test_shutdown_is_available_only_on_request() -> None:
    head = post(line=b"GET /shutdown HTTP/1.1")
    assert judge(head, Policy(0, shutdown=True)) == Shutdown()
    assert status(head) == 403
    assert status(post(b"Origin: null\r\n", line=b"GET /shutdown HTTP/1.1"), Policy(0, shutdown=True)) == 403


@pytest.mark.parametrize(
    ("fields", "let_in"),
    [
        (b"Authorization: Bearer local\r\n", True),
        (b"", False),
        (b"Authorization: Bearer loca\r\n", False),
        (b"Authorization: bearer local\r\n", False),
        (b"Authorization: Basic local\r\n", False),
        (b"Authorization: Bearer local\r\nAuthorization: Bearer local\r\n", False),
        (b"Authorization: Bearer \xff\r\n", False),
    ],
)
def test_a_required_token_must_be_present_exactly_once(fields: bytes, let_in: bool) -> None:
    policy = Policy(1000, token=b"local")
    if let_in:
        assert b"local" not in forwarded(post(fields), policy).fields
    else:
        assert status(post(fields), policy) == 403


@given(st.integers(0, 200), st.binary(max_size=20))
def test_a_head_is_found_wherever_the_bytes_are_split(split: int, rest: bytes) -> None:
    head = post(b"X: 1\r\n")
    data = head + rest
    first = data[:split]
    end = head_end(first)
    assert end == (len(head) if split >= len(head) else 0)
    assert head_end(data, 0 if end else len(first)) == len(head)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"POST / HTTP/1.1\nHost: a", 400),
        (b"POST / HTTP/1.1\r\nX: a\n\n", 400),
        (b"POST / HTTP/1.1\rX", 400),
        (b"a" * HEAD_LIMIT, 431),
        (b"a" * HEAD_LIMIT + b"\r\n\r\n", 431),
    ],
)
def test_an_invalid_head_is_rejected_before_it_ends(data: bytes, expected: int) -> None:
    with pytest.raises(RefusedError) as refused:
        head_end(data)
    assert refused.value.status == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_rejected_or_well_framed(noise: bytes) -> None:
    try:
        decision = judge(post() + noise + b"\r\n\r\n", POLICY)
    except RefusedError as error:
        assert error.status in {400, 403, 413, 417, 431, 501, 505}
    else:
        assert isinstance(decision, Forward)
        assert all(line.endswith(b"\r") for line in decision.fields.split(b"\n")[:-1])
