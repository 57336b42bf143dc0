from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from code_mcp_client.framing import Line, LineBuffer, OversizeLine

chunks = st.lists(st.text("ab\n", max_size=12).map(str.encode), max_size=12)


def lines_of(buffer: LineBuffer, pieces: Iterable[bytes]) -> list[Line]:
    lines = [line for piece in pieces for line in buffer.feed(piece)]
    rest = buffer.finish()
    return lines if rest is None else [*lines, rest]


@given(chunks)
def test_the_lines_are_the_same_however_the_bytes_are_split(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    if not expected[-1]:
        expected.pop()
    assert lines_of(LineBuffer(10_000), pieces) == expected


@given(chunks, st.integers(1, 6))
def test_a_line_above_the_limit_is_replaced_by_its_size_and_ends(pieces: list[bytes], limit: int) -> None:
    expected = lines_of(LineBuffer(10_000), pieces)
    for line, full in zip(lines_of(LineBuffer(limit), pieces), expected, strict=True):
        assert isinstance(full, bytes | bytearray)
        if len(full) <= limit:
            assert line == full
        else:
            assert isinstance(line, OversizeLine)
            assert line.size == len(full)
            assert full.startswith(line.head)
            assert full.endswith(line.tail)


def test_an_oversize_line_is_not_kept() -> None:
    buffer = LineBuffer(1024)
    for _ in range(1000):
        assert not buffer.feed(b"x" * 1000)
        assert len(buffer._partial) <= 1024
    [line] = buffer.feed(b"end\nnext")
    assert isinstance(line, OversizeLine)
    assert line.size == 1_000_003
    assert line.tail.endswith(b"xend")
    assert buffer.finish() == b"next"


def test_a_long_line_is_passed_on_without_a_copy() -> None:
    buffer = LineBuffer(10_000)
    buffer.feed(b"x" * 100)
    growing = buffer._partial
    [line] = buffer.feed(b"y\n")
    assert line is growing
