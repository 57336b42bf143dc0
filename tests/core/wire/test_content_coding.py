"""Compressed bodies."""

import gzip
import zlib

import pytest

from code_core.wire.content_coding import MOST_BYTES, inflater_for
from code_core.wire.errors import MalformedResponseError


def test_everything_that_has_arrived_is_decompressed() -> None:
    size = MOST_BYTES + 10
    inflater = inflater_for({"content-encoding": " GZip "})
    assert inflater is not None
    data = zlib.compress(b"a" * size)[:-4]  # without its checksum
    assert [len(piece) for piece in inflater.pieces(data)] == [MOST_BYTES, 10]
    with pytest.raises(MalformedResponseError, match="too early"):
        inflater.check_end()


def test_a_body_may_have_several_members() -> None:
    inflater = inflater_for({"content-encoding": "gzip"})
    assert inflater is not None
    inflater.check_end()
    assert list(inflater.pieces(gzip.compress(b"a") + gzip.compress(b"b"))) == [b"a", b"b"]
    inflater.check_end()


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_an_empty_body_may_be_called_compressed(coding: str) -> None:
    inflater = inflater_for({"content-encoding": coding})
    assert inflater is not None
    assert list(inflater.pieces(b"")) == []
    inflater.check_end()
    with pytest.raises(MalformedResponseError, match="cannot be read"):
        list(inflater.pieces(b"plain"))


@pytest.mark.parametrize("headers", [{}, {"content-encoding": "identity"}, {"content-encoding": " "}])
def test_a_body_may_be_plain(headers: dict[str, str]) -> None:
    assert inflater_for(headers) is None


@pytest.mark.parametrize("coding", ["br", "gzip, gzip", "zstd"])
def test_other_codings_are_an_error(coding: str) -> None:
    with pytest.raises(MalformedResponseError, match=coding):
        inflater_for({"content-encoding": coding})
