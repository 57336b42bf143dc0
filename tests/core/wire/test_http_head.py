"""Heads of responses that arrive in pieces."""

from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from code_core.wire.content_coding import MOST_BYTES, Inflater
from code_core.wire.errors import MalformedResponseError
from code_core.wire.http_head import ResponseHead, parse_response_head
from code_responses_api_proxy.framing import ChunkedBody, EndlessBody, LengthBody, MalformedBodyError, chunk

INTERIM = st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"])
FIELDS = st.lists(
    st.tuples(
        st.from_regex(rb"X-[A-Za-z0-9]{1,8}", fullmatch=True),
        st.from_regex(rb"[\x21-\x7e\x80-\xff]{0,20}", fullmatch=True),
    ),
    max_size=5,
    unique_by=lambda one: one[0].lower(),
)


def read(pieces: Sequence[bytes]) -> tuple[ResponseHead | None, bytes, bytes]:
    """The head, if it is complete, the body and what follows it."""
    head, data, content = None, b"", b""
    for piece in pieces:
        data += piece
        if head is None:
            head, data = parse_response_head(data)
        if head is not None and not head.body.done:
            found, data = head.body.feed(data)
            content += found
    return head, content, data


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(
    st.lists(INTERIM, max_size=3),
    FIELDS,
    st.binary(max_size=60),
    st.lists(st.integers(1, 20), max_size=5),
    st.sampled_from(["length", "chunked", "both", "endless"]),
    st.lists(st.integers(0, 2000), max_size=12),
)
def test_a_response_is_the_same_however_it_is_split(
    interim: list[bytes],
    fields: list[tuple[bytes, bytes]],
    body: bytes,
    sizes: list[int],
    framing: str,
    cuts: list[int],
) -> None:
    lines = [b"%b: %b\r\n" % field for field in fields]
    if framing in {"length", "both"}:
        lines.append(b"Content-Length: %d\r\n" % (len(body) + (framing == "both")))
    framed = body
    if framing in {"chunked", "both"}:
        lines.append(b"Transfer-Encoding: chunked\r\n")
        edges = [0, *sorted({size for size in sizes if size < len(body)}), len(body)]
        parts = [body[start:end] for start, end in pairwise(edges)]
        framed = b"".join(chunk(part) for part in parts if part) + b"0;a=b\r\nX: y\r\n\r\n"
    after = b"" if framing == "endless" else b"more"
    data = b"".join([*interim, b"HTTP/1.1 200 OK\r\n", *lines, b"\r\n", framed, after])
    head, content, rest = read(split(data, cuts))
    assert head is not None
    assert (head.status, head.reason, content, rest) == (200, "OK", body, after)
    for name, value in fields:
        assert head.headers[name.decode().lower()] == value.decode("latin-1")
    kinds = {"length": LengthBody, "endless": EndlessBody}
    assert isinstance(head.body, kinds.get(framing, ChunkedBody))
    assert head.keeps_connection is (framing in {"length", "chunked"})


@given(st.binary(max_size=80), st.lists(st.integers(0, 200), max_size=6))
def test_other_bytes_are_an_error_or_incomplete(data: bytes, cuts: list[int]) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with suppress(MalformedResponseError, MalformedBodyError):
            read(split(start + data, cuts))


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\x78\x9c"]))
def test_other_bytes_are_not_decompressed(data: bytes, start: bytes) -> None:
    inflater = Inflater()
    with suppress(MalformedResponseError):
        for piece in inflater.pieces(start + data):
            assert 0 < len(piece) <= MOST_BYTES
        inflater.check_end()
