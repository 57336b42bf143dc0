import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from code_core.wire.images import LARGEST_IMAGE, Image, NotAnImage, checked_url, data_url, image_of
from support import pictures

WHOLE = {
    "image/png": pictures.png(3, 2),
    "image/jpeg": pictures.jpeg(3, 2),
    "image/gif": pictures.gif(width=3, height=2),
    "image/webp": pictures.webp(width=3, height=2),
}


@pytest.mark.parametrize(("kind", "data"), WHOLE.items())
def test_an_image_is_recognised_by_its_bytes(kind: str, data: bytes) -> None:
    assert image_of(data) == Image(kind, 3, 2)
    assert data_url(data) == f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize("kind", [b"VP8X", b"VP8L", b"VP8 "])
def test_the_size_of_each_kind_of_webp_is_found(kind: bytes) -> None:
    assert image_of(pictures.webp(kind, width=300, height=200)) == Image("image/webp", 300, 200)


def test_a_jpeg_may_have_padded_markers() -> None:
    padded = (
        pictures.jpeg(3, 2)
        .replace(b"\xff\xc0", b"\xff\xff\xff\xc0")
        .replace(b"\xff\xd8", b"\xff\xd8\xff\x01", 1)
    )
    assert image_of(padded) == Image("image/jpeg", 3, 2)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"just text", "is not an image of type PNG"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is not an image of type PNG"),
        (b"BM" + bytes(60), "is not an image of type PNG"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (pictures.png()[:-1], "cut off"),
        (pictures.png()[:-12], "cut off"),
        (pictures.png().replace(b"IHDR", b"IDAT"), "cut off"),
        (pictures.jpeg()[:-1], "cut off"),
        (b"\xff\xd8\xff\xd9", "without a frame"),
        (b"\xff\xd8\xff\xda\x00\x02" + pictures.jpeg()[2:], "without a frame"),
        (b"GIF89a", "cut off"),
        (pictures.gif()[:-1], "cut off"),
        (pictures.gif()[:25], "cut off"),
        (pictures.gif(0), "cut off"),
        (pictures.gif(2), "animation of 2 images"),
        (pictures.webp()[:-1], "cut off"),
        (pictures.webp()[:20], "cut off"),
        (pictures.webp(b"VP8X", animated=True), "animated"),
        (pictures.webp(b"ALPH"), "unknown kind"),
        (pictures.png(0, 1), "without pixels"),
        (pictures.jpeg(1, 0), "without pixels"),
        (pictures.png(16_385, 1), "16,385 by 1 pixels"),
        (pictures.gif(height=16_385), "1 by 16,385 pixels"),
        (pictures.png() + bytes(LARGEST_IMAGE), "larger than 20 MiB"),
    ],
)
def test_images_that_model_apis_would_reject_are_rejected(data: bytes, problem: str) -> None:
    with pytest.raises(NotAnImage, match=problem):
        image_of(data)


def test_the_longest_side_is_allowed() -> None:
    assert image_of(pictures.png(16_384, 16_384)).width == 16_384


@given(st.sampled_from([*WHOLE.values()]), st.integers(0, 80), st.integers(0, 79), st.integers(0, 255))
def test_any_bytes_can_be_checked(data: bytes, length: int, at: int, byte: int) -> None:
    damaged = bytearray(data[:length])
    damaged[at : at + 1] = bytes([byte])
    with suppress(NotAnImage):
        image_of(bytes(damaged))


def test_a_url_gets_the_type_of_its_data() -> None:
    body = base64.b64encode(pictures.png()).decode()
    for head in ("data:image/svg+xml;base64", "data:;base64", "DATA:image/png;charset=x;BASE64"):
        assert checked_url(f"{head},{body}") == f"data:image/png;base64,{body}"
    for url in ("https://example.com/a.svg", "HTTP://example.com/x"):
        assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///etc/passwd", "https: URL"),
        ("data:image/svg+xml,<svg/>", "https: URL"),
        ("data:image/png;base64", "https: URL"),
        ("data:image/png;base64,!!", "not valid base64"),
        ("data:image/png;base64,aGk=", "not an image"),
        ("data:image/png;base64," + "A" * (LARGEST_IMAGE * 4 // 3 + 8), "larger than"),
    ],
)
def test_a_url_without_an_image_is_rejected(url: str, problem: str) -> None:
    with pytest.raises(NotAnImage, match=problem):
        checked_url(url)
