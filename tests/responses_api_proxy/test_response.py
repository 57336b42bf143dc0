from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_responses_api_proxy.errors import InvalidResponseError, LostError
from code_responses_api_proxy.framing import chunk
from code_responses_api_proxy.redact import Redactor
from code_responses_api_proxy.response import ResponseRelay

KEY = b"sk-test/0123456789+abcdefghij="


def relay(*, old: bool = False, keep_alive: bool = True) -> ResponseRelay:
    return ResponseRelay(
        old_client=old, keep_alive=keep_alive and not old, redactor=Redactor(memoryview(KEY))
    )


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(marks)]


@pytest.mark.parametrize(
    ("upstream", "client", "reusable"),
    [
        (
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok",
            True,
        ),
        (b"HTTP/1.1 204\r\n\r\n", b"HTTP/1.1 204 \r\n\r\n", True),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=1\r\nok\r\n0\r\nT: 1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            True,
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            True,
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            False,
        ),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            False,
        ),
    ],
)
@given(cuts=st.lists(st.integers(0, 200), max_size=6))
def test_a_response_is_rewritten_the_same_way_however_it_arrives(
    upstream: bytes, client: bytes, reusable: bool, cuts: list[int]
) -> None:
    relayed = relay()
    out = b"".join(relayed.feed(piece) for piece in in_pieces(upstream, cuts))
    # Pieces of a chunk become separate chunks, so only their content must be the same.
    assert out.replace(b"1\r\no\r\n1\r\nk\r\n", b"2\r\nok\r\n") == client
    assert relayed.done
    assert relayed.reusable is reusable


def test_a_body_ended_by_the_connection_gets_a_last_chunk() -> None:
    relayed = relay()
    assert relayed.feed(b"HTTP/1.1 200 OK\r\n\r\nab").endswith(
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    )
    assert relayed.end() == b"0\r\n\r\n"
    assert not relayed.reusable


def test_an_http_1_0_client_gets_the_plain_body_and_the_end() -> None:
    relayed = relay(old=True)
    out = relayed.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(b"ab") + b"0\r\n\r\n")
    assert out == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab"
    assert not relayed.keep_alive


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ],
)
def test_an_early_end_never_looks_complete(start: bytes) -> None:
    relayed = relay()
    if start:
        relayed.feed(start)
    with pytest.raises(LostError):
        relayed.end()
    assert not relayed.done


def test_an_error_does_not_complete_a_body_that_ends_with_the_connection() -> None:
    relayed = relay()
    relayed.feed(b"HTTP/1.1 200 OK\r\n\r\nab")
    with pytest.raises(LostError):
        relayed.end(clean=False)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 099 no\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad line\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 17,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 65536,
    ],
)
def test_an_invalid_response_is_not_passed_on(data: bytes) -> None:
    with pytest.raises(InvalidResponseError):
        relay().feed(data)


def test_bytes_after_the_response_end_the_upstream_connection() -> None:
    relayed = relay()
    relayed.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n")
    assert relayed.done
    assert not relayed.reusable


@given(st.binary(max_size=400))
def test_any_bytes_are_relayed_or_rejected(data: bytes) -> None:
    relayed = relay()
    try:
        relayed.feed(b"HTTP/1.1 200 OK\r\n" + data)
        relayed.end()
    except (InvalidResponseError, LostError):
        assert not relayed.done
