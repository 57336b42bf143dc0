import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_responses_api_proxy.framing import (
    LAST_CHUNK,
    Body,
    BodyTooLargeError,
    ChunkedBody,
    LengthBody,
    MalformedBodyError,
    chunk,
)


def read(body: Body, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """The payload and the remainder, with `data` arriving in pieces that end at `cuts`."""
    payload, rest = b"", b""
    ends = [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in zip([0, *ends], ends, strict=False):
        if body.done:
            rest += data[start:end]
            continue
        piece, surplus = body.feed(data[start:end])
        payload += piece
        rest += surplus
    return payload, rest


CUTS = st.lists(st.integers(0, 10_000), max_size=8)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.binary(max_size=20), CUTS)
def test_chunks_are_decoded_however_they_arrive(pieces: list[bytes], after: bytes, cuts: list[int]) -> None:
    body = ChunkedBody()
    wire = b"".join(map(chunk, pieces)) + LAST_CHUNK + after
    assert read(body, wire, cuts) == (b"".join(pieces), after)
    assert body.done


@given(st.binary(max_size=50), st.binary(max_size=20), CUTS)
def test_a_body_with_a_length_is_read_however_it_arrives(
    payload: bytes, after: bytes, cuts: list[int]
) -> None:
    body = LengthBody(len(payload))
    assert read(body, payload + after, cuts) == (payload, after)
    assert body.done


@given(CUTS)
def test_extensions_and_trailers_are_dropped(cuts: list[int]) -> None:
    wire = b"3;name=value\r\nabc\r\n000;x\r\nX-Trailer: 1\r\n\r\nnext"
    assert read(ChunkedBody(), wire, cuts) == (b"abc", b"next")


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n",
        b"x\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b"1_0\r\n",
        b" 1\r\n",
        b"1 \r\n",
        b"1\na\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n",
        b"ffffffffffffffff\r\n",
        b"1;\x00\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\n X: 1\r\n\r\n",
        b"0\r\n\n",
        b"1" * 5000,
        b"0\r\n" + b"X: 1\r\n" * 5000,
    ],
)
def test_malformed_chunks_are_rejected(wire: bytes) -> None:
    with pytest.raises(MalformedBodyError):
        read(ChunkedBody(), wire, [])


def test_a_body_over_its_limit_is_rejected_at_the_size_that_exceeds_it() -> None:
    body = ChunkedBody(limit=4)
    assert body.feed(b"4\r\nabcd\r\n") == (b"abcd", b"")
    with pytest.raises(BodyTooLargeError):
        body.feed(b"1\r\n")
