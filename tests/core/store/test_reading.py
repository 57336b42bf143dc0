import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.store import reading
from code_core.store.reading import RawLine, Span


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 20)


def lines_of(data: bytes) -> tuple[list[RawLine], list[RawLine]]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        span = Span(file.fileno(), 0, len(data), chunk=7)
        return list(span.forwards()), list(span.backwards())


@given(st.lists(st.binary(max_size=30)).map(b"\n".join))
def test_both_directions_give_the_same_lines_as_split(data: bytes) -> None:
    expected, offset = [], 0
    for line in _split(data):
        text = line.removesuffix(b"\n")
        kept = text if len(text) <= 20 else None
        expected.append(RawLine(offset, offset + len(line), kept, line.endswith(b"\n")))
        offset += len(line)
    forwards, backwards = lines_of(data)
    assert forwards == expected
    assert backwards[::-1] == expected


def _split(data: bytes) -> list[bytes]:
    lines = [line + b"\n" for line in data.split(b"\n")]
    last = lines.pop().removesuffix(b"\n")
    return [*lines, last] if last else lines
